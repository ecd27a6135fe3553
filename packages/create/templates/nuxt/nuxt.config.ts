export default defineNuxtConfig({
  compatibilityDate: '2025-11-01',
  app: { head: { title: 'Greetings', htmlAttrs: { lang: 'en' } } },
});
