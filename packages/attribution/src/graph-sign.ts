// What the sign of a graph file's scores means, by the file or by whoever reads it: the reference's and MIB's files do not say.
import { LimnError } from '@limn/gpu';

/** What a score above 0 means: that the edge helps (corrupting it raises the loss), as everywhere here, or that it harms. */
export type ScoreSign = 'positive-helps' | 'negative-helps';

/** What a graph file says about itself. Upstream's format records none of it, not even the sign. */
export interface GraphProvenance {
  /** Of the scores in the file. What is written here has 'positive-helps'. */
  readonly sign?: ScoreSign;
  readonly [field: string]: unknown;
}

/** All of them. */
export const SCORE_SIGNS: readonly ScoreSign[] = ['positive-helps', 'negative-helps'];
/** The note of a file whose sign nobody says. */
export const UNKNOWN_SIGN =
  'the file does not say whether scores above 0 help (limn.sign is missing): a ranking by sign may pick the worst edges; by |score| nothing depends on it';

/**
 * The fields of "limn", with its sign checked.
 * @throws LimnError `data/graph-sign`
 */
export function provenanceOf(fields: Record<string, unknown>): GraphProvenance {
  const { sign, ...others } = fields;
  if (sign === undefined) return others;
  const known = SCORE_SIGNS.find((one) => one === sign);
  if (known !== undefined) return { ...others, sign: known };
  throw new LimnError(
    'data/graph-sign',
    `The graph file has the sign ${JSON.stringify(sign)}; there are ${SCORE_SIGNS.join(', ')}.`,
    {
      details: { given: sign, allowed: SCORE_SIGNS },
      hint: '"limn.sign" says what a score above 0 means.',
    },
  );
}

/**
 * What the file says, else what the caller does.
 * @throws LimnError `data/graph-sign` where they differ
 */
export function signOf(provenance: GraphProvenance | undefined, given: ScoreSign | undefined): ScoreSign | undefined {
  const own = provenance?.sign;
  if (own !== undefined && given !== undefined && own !== given)
    throw new LimnError('data/graph-sign', `The graph file says ${own}, and ${given} was given for it.`, {
      details: { file: own, given },
      hint: 'Leave the sign out: what the file says is taken.',
    });
  return own ?? given;
}

/** @throws LimnError `usage/graph-sign` */
export function expectSign(given: ScoreSign | undefined): void {
  if (given === undefined || SCORE_SIGNS.includes(given)) return;
  throw new LimnError(
    'usage/graph-sign',
    `There is no sign "${String(given)}" of scores; there are ${SCORE_SIGNS.join(', ')}.`,
    {
      details: { given, allowed: SCORE_SIGNS },
    },
  );
}
