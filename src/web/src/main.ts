import { createApp } from 'vue';
import App from './App.vue';
import './theme.css';
import './job/job.css';
import './style.css';

createApp(App).mount('#app');
