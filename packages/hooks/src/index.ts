// Hook names, interventions, the HookedModel interface and what is the same for every architecture.
export * from './edits.js';
export * from './generate.js';
export * from './intervention.js';
export * from './model.js';
export * from './names.js';
export * from './nearest-name.js';
export * from './run-plan.js';
export * from './sites.js';
export * from './token-batch.js';
