import { link } from './link.js';

export default link('stray', 'strays', 'nobody');
