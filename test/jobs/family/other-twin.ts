import { link } from './link.js';

export default link('other-twin', 'twins');
