// Models of which there is nothing to tell, for an adapter to learn "none" by: the bare model, random changes as large as real ones, and diffs trained on ordinary answers.
import { randomLike, type LoraWeights } from '@limn/dit';
import { LimnError } from '@limn/gpu';
import { nearest } from '@limn/hooks';
import { hash } from '@limn/tasks/chat';

/** zero: the bare model. random: LoRAs of random directions, of each the norms of a real diff. generic: diffs of the packs that were trained on ordinary answers. */
export const NEGATIVES = ['zero', 'random', 'generic'] as const;
/** One of them. */
export type Negative = (typeof NEGATIVES)[number];
/** How many of each there are, as shares of the number of diffs that something is to be told of. */
export type NegativeShares = Readonly<Partial<Record<Negative, number>>>;

/** A tenth of each. */
export const NEGATIVE_SHARES: NegativeShares = { zero: 0.1, random: 0.1, generic: 0.1 };
/** What an adapter is measured on: as many random changes as real ones, every generic diff, and the bare model. */
export const MEASURED_NEGATIVES: NegativeShares = { zero: 0.01, random: 1, generic: 1 };
/** What negatives are for: those of one purpose are in no other. */
export type NegativePurpose = 'training' | 'validation' | 'evaluation';
/** More would drown what there is to tell. */
const MOST_SHARE = 10;

/**
 * 'zero,random:0.2': a tenth where no share is given; 'off' for none at all.
 * @throws LimnError `usage/dit-negatives`
 */
export function negativesOption(text: string): NegativeShares {
  if (text.trim() === 'off') return {};
  const shares: Partial<Record<Negative, number>> = {};
  for (const part of text.split(',')) {
    const [name = '', share = '0.1', ...more] = part.trim().split(':');
    const known = NEGATIVES.find((each) => each === name);
    const value = share.trim() === '' ? Number.NaN : Number(share);
    if (known === undefined || more.length > 0 || !(value > 0 && value <= MOST_SHARE) || known in shares)
      throw new LimnError('usage/dit-negatives', `--none ${text}: '${part}' is no class with a share`, {
        details: { option: '--none', given: text },
        hint:
          known === undefined
            ? `did you mean ${nearest(name, NEGATIVES)}? known: ${NEGATIVES.join(', ')}, or off alone`
            : `give each class once, with a share above 0 and up to ${MOST_SHARE}: --none zero:0.1,random:0.2`,
      });
    shares[known] = value;
  }
  return shares;
}

/** Random changes, the i-th as large as the i-th of `like`, again from its start where that is shorter; others for every purpose, whatever the seeds. */
export function randomDiffs(
  like: readonly LoraWeights[],
  count: number,
  { seed, purpose }: { readonly seed: number; readonly purpose: NegativePurpose },
): LoraWeights[] {
  if (like.length === 0) return [];
  return Array.from({ length: count }, (_, i) =>
    randomLike(like[i % like.length] as LoraWeights, hash(`random diff for ${purpose}`, seed, i)),
  );
}
