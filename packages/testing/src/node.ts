// What tests share that only Node has.
export { nullGpu, type AdapterAccount } from './null-gpu.js';
