import { headway } from 'headway-client/vue';
import { createApp } from 'vue';
import App from './App.vue';

createApp(App).use(headway).mount('#app');
