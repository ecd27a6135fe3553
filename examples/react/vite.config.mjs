import { example } from '../vite.mjs';

export default example('react', ['react', 'react/jsx-dev-runtime', 'react-dom/client']);
