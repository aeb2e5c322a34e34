// The study's weight diffs: packs that `limn diff train` makes, each by a command that anybody can run, and goes on with where it stopped.
import { existsSync } from 'node:fs';
import type { TrainedDiff } from '@limn/dit';
import { openPack } from 'limn';
import { runLimn } from './commands.mjs';
import type { PackPlan, StudyPlan } from './plan.mjs';

const TOGETHER = 64;

/** The words behind `limn` that make a pack. */
export function packWords(base: string, folder: string, plan: PackPlan, study: StudyPlan): string[] {
  const { plans, gate, each, rank, seed, together = TOGETHER } = plan;
  const { updates, sampleWeights } = { ...study, ...plan };
  const given = {
    gate,
    each,
    rank,
    seed,
    updates,
    'sample-weights': sampleWeights,
    rate: study.rate,
    tasks: together,
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
  runLimn([...packWords(base, folder, plan, study), ...(existsSync(folder) ? ['--resume'] : [])]);
  const diffs = await openPack(folder);
  if (diffs.every(({ gate }) => gate !== undefined)) return diffs;
  runLimn(['diff', 'gate', folder, '--base', base, '--tasks', String(plan.together ?? TOGETHER)]);
  return openPack(folder);
}
