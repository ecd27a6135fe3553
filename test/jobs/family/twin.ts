import { link } from './link.js';

export default link('twin', 'twins', 'other-twin');
