import { link } from './link.js';

export default link('parent', 'adults', 'grandchild');
