// What the command stores: one JSON file for each form and adapter.
import type { MeasuredUpdate } from './measured.mjs';
import type { UpdateForm, UpdateSizes } from './spec.mjs';

export interface UpdateRecord extends MeasuredUpdate {
  readonly adapter: string;
  readonly source: string;
  readonly limits: 'default';
  readonly form: UpdateForm;
  readonly sizes: UpdateSizes;
  readonly rounds: number;
  /** What was asked for and is not installed. */
  readonly missing?: string;
}

/** `dictionary-update-top-k-lavapipe.json`; `other` of sizes that are not GPT-2 small's. */
export const recordFile = (form: UpdateForm, adapter: string, isOther: boolean): string =>
  `dictionary-update-${isOther ? 'other-' : ''}${form}-${adapter}.json`;
