// What the tests of all packages share.
export { testGpu } from './gpu.js';
