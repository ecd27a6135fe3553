import { createApp } from 'vue';
import App from './App.vue';
import { keepFocus } from './keep-focus';
import { chooseWords } from './words/choose';
import './theme.css';
import './controls.css';
import './progress-bar.css';
import './job/job.css';
import './style.css';

void chooseWords().then(() => {
  createApp(App).mount('#app');
  keepFocus();
});
