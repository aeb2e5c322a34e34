// The study's weight diffs: packs that `limn diff train` makes, each by a command that anybody can run, and goes on with where it stopped.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { TrainedDiff } from '@limn/dit';
import { openPack } from 'limn';
import type { PackPlan, StudyPlan } from './plan.mjs';

/** Diffs that are trained together: what a CPU adapter is fastest with. */
const TOGETHER = '64';

/** The words behind `limn` that make a pack. */
export function packWords(base: string, folder: string, plan: PackPlan, study: StudyPlan): string[] {
  const { plans, gate, each, rank } = plan;
  const given = {
    gate,
    each,
    rank,
    updates: study.updates,
    'sample-weights': study.sampleWeights,
    rate: study.rate,
    tasks: TOGETHER,
  };
  const options = Object.entries(given).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, String(value)],
  );
  const asked = plans.flatMap((words) => ['--plan', words]);
  return ['diff', 'train', '--base', base, '--world', 'chat', ...asked, ...options, '--out', folder];
}

/** The diffs of a pack with what their gates show, trained and asked as far as they are not yet. */
export async function trainedPack(
  base: string,
  folder: string,
  plan: PackPlan,
  study: StudyPlan,
): Promise<readonly TrainedDiff[]> {
  const limn = path.join(import.meta.dirname, '../../packages/limn/bin/limn.js');
  const words = packWords(base, folder, plan, study);
  const run = (...all: readonly string[]): Buffer =>
    execFileSync(process.execPath, [limn, ...all], { stdio: 'inherit' });
  run(...words, ...(existsSync(folder) ? ['--resume'] : []));
  const diffs = await openPack(folder);
  if (diffs.every(({ gate }) => gate !== undefined)) return diffs;
  run('diff', 'gate', folder, '--base', base, '--tasks', TOGETHER);
  return openPack(folder);
}
