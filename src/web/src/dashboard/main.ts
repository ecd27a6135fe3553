import { createApp } from 'vue';
import { keepFocus } from '../keep-focus';
import { words } from '../words';
import { chooseWords } from '../words/choose';
import App from './App.vue';
import '../theme.css';
import '../controls.css';
import '../progress-bar.css';
import '../job/job.css';
import 'uplot/dist/uPlot.min.css';
import './dashboard.css';
import './job-lists.css';
import './tables.css';
import './job-page.css';

void chooseWords().then(() => {
  document.title = `${words.nav.dashboard} · Headway`;
  createApp(App).mount('#app');
  keepFocus();
});
