import { createApp } from 'vue';
import { keepFocus } from '../keep-focus';
import App from './App.vue';
import '../theme.css';
import '../job/job.css';
import 'uplot/dist/uPlot.min.css';
import './dashboard.css';

createApp(App).mount('#app');
keepFocus();
