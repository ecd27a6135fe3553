import { link } from './link.js';

export default link('unfit', 'unfits', 'leaf');
