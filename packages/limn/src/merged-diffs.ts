// The packs of all parts of one run as one pack: the same bytes as the whole run on the same adapter and kernels.
import { writeDiffPack, type TrainedDiff } from '@limn/dit';
import { LimnError } from '@limn/gpu';
import { openPack } from './diff-folder.js';
import { diffPartIn, DIFF_RECORD, DIFF_RUN, PACK_LAYOUT, type DiffPart } from './diff-record.js';
import { saveDictionaryFiles } from './dictionary-files.js';
import { openOutputFolder } from './output.js';

/** What was merged. */
export interface MergedDiffs {
  readonly path: string;
  readonly diffs: number;
  readonly parts: number;
}

/**
 * Merges the parts of a run into a new folder.
 * @throws LimnError `data/shards-base`, `data/shards-settings`, `data/shards-machine` for parts of different runs or adapters; `data/shards-missing` for parts that are not
 * there or not finished; `data/shards`, `data/diff-pack`, `usage/output-exists`, `disk/write`
 */
export async function mergeDiffs(folders: readonly string[], out: string): Promise<MergedDiffs> {
  const parts = folders.map((folder) => diffPartIn(folder));
  const [first] = parts as [DiffPart, ...DiffPart[]];
  for (const part of parts) expectSameRun(first, part);
  expectAll(parts);
  const output = openOutputFolder(out, PACK_LAYOUT);
  try {
    const diffs: TrainedDiff[] = [];
    for (const { folder } of parts) diffs.push(...(await openPack(folder)));
    if (diffs.length !== first.plan.diffs)
      throw new LimnError('data/shards-missing', `the parts hold ${diffs.length} diffs of ${first.plan.diffs}`, {
        hint: 'run the part whose pack is not whole again, with --resume',
      });
    await saveDictionaryFiles(output.draft, writeDiffPack(diffs));
    const whole = {
      ...first.record,
      schema: DIFF_RUN.schema,
      state: 'finished',
      part: { index: 0, of: 1, diffs: diffs.length },
      diffs: diffs.length,
      mergedFrom: parts.map(({ provenance }) => provenance?.commandLine ?? null),
    };
    output.write(DIFF_RECORD, `${JSON.stringify(whole, undefined, 1)}\n`);
    output.commit();
    return { path: output.path, diffs: diffs.length, parts: parts.length };
  } finally {
    output.discard();
  }
}

/** @throws LimnError `data/shards-base`, `data/shards-settings`, `data/shards-machine` */
function expectSameRun(first: DiffPart, part: DiffPart): void {
  const differ = (code: string, what: string, hint: string): LimnError =>
    new LimnError(code, `${first.folder} and ${part.folder} ${what}`, {
      details: { first: first.folder, second: part.folder },
      hint,
    });
  const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
  if (first.base.fingerprint !== part.base.fingerprint || first.base.processing !== part.base.processing)
    throw differ(
      'data/shards-base',
      `hold diffs of different weights: ${first.base.name} ${first.base.fingerprint.slice(0, 12)}… and ${part.base.name} ${part.base.fingerprint.slice(0, 12)}…`,
      'merge the parts of one base',
    );
  if (!same(first.settings, part.settings) || !same(first.families, part.families))
    throw differ(
      'data/shards-settings',
      'were trained with other settings',
      'give every part the same options but --shard and --out',
    );
  if (first.plan.sha256 !== part.plan.sha256 || first.part.of !== part.part.of)
    throw differ(
      'data/shards-settings',
      'are parts of other lists of diffs',
      'give every part the same --plan or --data, and the same n of --shard i/n',
    );
  if (part.mixed)
    throw new LimnError('data/shards-machine', `${part.folder} holds diffs of several adapters or kernels`, {
      details: { folder: part.folder },
      hint: 'train it anew on one adapter, without --allow-drift and --reuse from others',
    });
  if (!same(first.machine, part.machine))
    throw differ(
      'data/shards-machine',
      'were trained on other adapters or kernels, so that no run gives their bits together',
      'train all parts on one kind of adapter with the same kernels (LIMN_KERNELS=built-in, or one file of `limn tune`)',
    );
}

/** @throws LimnError `data/shards-missing`, `data/shards` for a part that is there twice */
function expectAll(parts: readonly DiffPart[]): void {
  const [{ part }] = parts as [DiffPart, ...DiffPart[]];
  const open = parts.find(({ state }) => state !== 'finished');
  if (open)
    throw new LimnError('data/shards-missing', `the run in ${open.folder} is not finished`, {
      details: { folder: open.folder },
      hint: 'run the same command with --resume there',
    });
  const places = parts.map((each) => each.part.index);
  const twice = parts.find((each, i) => places.indexOf(each.part.index) !== i);
  if (twice)
    throw new LimnError('data/shards', `part ${twice.part.index + 1} of ${part.of} is there twice`, {
      details: { folder: twice.folder },
      hint: 'name every part once',
    });
  const missing = Array.from({ length: part.of }, (_, i) => i).filter((i) => !places.includes(i));
  if (missing.length === 0) return;
  const names = missing.map((i) => `${i + 1}/${part.of}`);
  throw new LimnError('data/shards-missing', `part ${names.join(', ')} is not there`, {
    details: { missing: names },
    hint: `train it with --shard ${names[0]}, or name its folder too`,
  });
}
