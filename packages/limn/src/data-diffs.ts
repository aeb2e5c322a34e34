// Diffs of a file of rows as they are trained: rows in passes, and the shape that holds all of them.
import { createHash } from 'node:crypto';
import type { DiffRow, DiffSpec } from '@limn/dit';
import { LimnError } from '@limn/gpu';
import { drawInPasses, type ModelInfo } from '@limn/hooks';
import type { DiffData, DiffDataRow } from './diff-data.js';
import type { DiffFamily } from './diff-family.js';

/** How rows are taken. */
export interface DataRows {
  /** Of a diff in an update, at most: a diff of fewer has all of its own in every one. */
  readonly rows: number;
  readonly seed: number;
}

/** Shapes are whole eights, so that a file that grows a little keeps its diffs' keys. */
const STEP = 8;
const whole = (count: number): number => STEP * Math.ceil(count / STEP);

/**
 * The diffs of a file as one family.
 * @throws LimnError `data/diff-rows` for a file that says `rows` in `about`, which is what limn says there
 */
export function dataFamily(
  data: readonly DiffData[],
  info: Pick<ModelInfo, 'maxPositions'>,
  settings: Omit<DiffSpec, 'id' | 'seed' | 'about' | 'samples'>,
  { rows, seed }: DataRows,
): DiffFamily {
  const perUpdate = Math.min(rows, Math.max(...data.map(({ rows: own }) => own.length)));
  const positions = Math.min(
    info.maxPositions,
    whole(longest(data, ({ prompt, answer }) => prompt.length + answer.length)),
  );
  // No row has an answer at its first token.
  const room = (loss: DiffDataRow['loss']): number =>
    Math.min(answerRoom(data, loss, rows), perUpdate * (positions - 1));
  return {
    name: 'data',
    specs: data.map(({ id, rows: own, about, sha256 }): DiffSpec => {
      const taken = own.map(rowOf);
      const ownSeed = seedOf(seed, id);
      return {
        ...settings,
        id,
        seed: ownSeed,
        about: { ...withoutRows(about, id), rows: { count: own.length, sha256 } },
        samples: (round) => drawInPasses(taken, round, { perUpdate: Math.min(rows, own.length), seed: ownSeed }),
      };
    }),
    shape: { rows: perUpdate, positions, answers: room('cross-entropy'), taught: room('kl') },
    sampler: { name: 'rows of a file', version: JSON.stringify({ version: 1, rows }) },
  };
}

const longest = (data: readonly DiffData[], lengthOf: (row: DiffDataRow) => number): number =>
  data.reduce((most, { rows }) => rows.reduce((own, row) => Math.max(own, lengthOf(row)), most), 0);

/** Most answer tokens with one loss that an update of any diff can have: those of its longest answers, whichever rows come together. */
function answerRoom(data: readonly DiffData[], loss: DiffDataRow['loss'], rows: number): number {
  const most = data.map(({ rows: own }) =>
    own
      .filter((row) => row.loss === loss)
      .map(({ answer }) => answer.length)
      .sort((a, b) => b - a)
      .slice(0, rows)
      .reduce((sum, length) => sum + length, 0),
  );
  return whole(Math.max(...most));
}

const rowOf = ({ prompt, answer, loss, weight }: DiffDataRow): DiffRow => ({
  tokens: [...prompt, ...answer],
  answers: [[prompt.length, prompt.length + answer.length]],
  loss,
  weight,
});

/** Of the run's seed and the diff's id alone: a number of 32 bits. */
const seedOf = (seed: number, id: string): number =>
  createHash('sha256').update(`${seed} ${id}`).digest().readUInt32LE(0);

function withoutRows(about: DiffData['about'], id: string): DiffData['about'] {
  if (!('rows' in about)) return about;
  throw new LimnError('data/diff-rows', `about.rows of '${id}': limn says there which rows the diff had`, {
    hint: 'give it another name',
  });
}
