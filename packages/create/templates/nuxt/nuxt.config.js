export default defineNuxtConfig({
  compatibilityDate: '2025-11-01',
  app: { head: { title: 'Greetings', htmlAttrs: { lang: 'en' } } },
  // On Node 20, a build would leave out a file of a package: https://github.com/nitrojs/nitro/issues/4468
  nitro: { externals: { traceOptions: { conditions: ['node', 'production', 'module-sync'] } } },
});
