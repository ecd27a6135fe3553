import { link } from './link.js';

export default link('grandchild', 'elders');
