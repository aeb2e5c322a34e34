// How many steps a tokenizer has and how much longer they make a text: each may double it, so a short file could ask for more than any memory.
import type { TokenizerField } from './tokenizer-field.js';
import type { Step } from './tokenizer-steps.js';

/** Published tokenizers have up to six. */
export const maxSteps = 16;
/** Characters that all steps together may make of one. Compatibility forms make up to 18, of U+FDFA. */
export const maxGrowth = 256;

/** Most UTF-16 units that a step makes of one, as measured over all of Unicode. */
const growthOf: Readonly<Record<string, number>> = {
  NFC: 3,
  NFD: 4,
  NFKC: 18,
  NFKD: 18,
  Lowercase: 3,
  BertNormalizer: 24,
};

/**
 * The same step, unless it has too many steps in it or makes texts too long.
 * @throws LimnError `tokenizer/unsupported`
 */
export function boundSteps(field: TokenizerField, step: Step): Step {
  const steps = plainSteps(step);
  if (steps.length > maxSteps)
    throw field.unsupported(`which is ${steps.length} steps; limn takes at most ${maxSteps}`);
  const growth = steps.reduce((product, one) => product * factor(one), 1);
  if (growth > maxGrowth)
    throw field.unsupported(
      `which may make a text ${Math.round(growth)} times as long; limn takes at most ${maxGrowth} times`,
    );
  return step;
}

/** The steps of sequences in each other, in a row. */
export function plainSteps(step: Step): Step[] {
  const inner = step['normalizers'] ?? step['pretokenizers'] ?? step['decoders'] ?? step['processors'];
  return Array.isArray(inner) ? (inner as Step[]).flatMap(plainSteps) : [step];
}

function factor(step: Step): number {
  if (step['type'] === 'Prepend') return 1 + (step['prepend'] as string).length;
  if (step['type'] !== 'Replace') return growthOf[step['type'] as string] ?? 1;
  const content = (step['content'] as string).replaceAll('$$', '$').length;
  const { String: found } = step['pattern'] as { readonly String?: string };
  // An expression may find one character, or the place between two.
  return found === undefined || found === '' ? 1 + content : Math.max(1, content / found.length);
}
