import { link } from './link.js';

export default link('grandparent', 'elders', 'parent');
