// The mixture of the six families: which document comes next in the training corpus.
import { agreementFamily } from './agreement.js';
import { capitalFamily } from './capital.js';
import type { Document, TaskFamily } from './document.js';
import type { Family } from './family.js';
import { genderFamily } from './gender.js';
import { greaterThanFamily } from './greater-than.js';
import { hypernymyFamily } from './hypernymy.js';
import { ioiFamily } from './ioi.js';
import type { Random } from './random.js';

/** Relative share of documents of each family. */
export type Mixture = Readonly<Record<TaskFamily, number>>;

/** Every family as often as any other. */
export const EQUAL_MIXTURE: Mixture = {
  ioi: 1,
  'greater-than': 1,
  gender: 1,
  sva: 1,
  'country-capital': 1,
  hypernymy: 1,
};

const FAMILIES: Readonly<Record<TaskFamily, Family>> = {
  ioi: ioiFamily,
  'greater-than': greaterThanFamily,
  gender: genderFamily,
  sva: agreementFamily,
  'country-capital': capitalFamily,
  hypernymy: hypernymyFamily,
};

/** One training document: never from a held-out cell. */
export function drawDocument(random: Random, mixture: Mixture = EQUAL_MIXTURE): Document {
  return FAMILIES[random.weighted(mixture)].draw(random);
}
