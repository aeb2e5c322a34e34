// What every HookedModel must do, as checks that any test runner can call: methods rely on nothing else.
import { analysisChecks } from './analysis.js';
import { cachingChecks } from './caching.js';
import type { ContractCheck } from './check.js';
import { componentChecks } from './components.js';
import { forwardChecks } from './forward.js';
import { interventionChecks } from './interventions.js';
import { patchingChecks } from './patching.js';
import { pullbackChecks } from './pullback.js';
import { refusalChecks } from './refusals.js';
import { taskAdapterChecks } from './task-adapters.js';

export type { ContractCheck } from './check.js';

/** All checks; the model they are given needs 2 layers, 2 heads and 5 positions, or more. */
export const hookedModelContract: readonly ContractCheck[] = [
  ...forwardChecks,
  ...cachingChecks,
  ...componentChecks,
  ...pullbackChecks,
  ...interventionChecks,
  ...taskAdapterChecks,
  ...refusalChecks,
  ...analysisChecks,
  ...patchingChecks,
];
