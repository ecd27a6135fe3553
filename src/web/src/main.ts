import { createApp } from 'vue';
import App from './App.vue';
import { keepFocus } from './keep-focus';
import './theme.css';
import './controls.css';
import './progress-bar.css';
import './job/job.css';
import './style.css';

createApp(App).mount('#app');
keepFocus();
