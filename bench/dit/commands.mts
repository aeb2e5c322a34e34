// What the commands make of the study's diffs: an adapter of `limn dit train`, what trying its proposals gains, and an audit of changed diffs among clean ones.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { randomLike, rocCurve, type MeanFigure, type TrainedDiff } from '@limn/dit';
import { ditAuditFromJson, type DitAuditRecord } from '@limn/report';
import { hash } from '@limn/tasks/chat';
import { openPack, savePack, version } from 'limn';
import type { StudyPlan } from './plan.mjs';
import type { CommandFinding } from './study.mjs';

/** The command line tool as it is built. */
const LIMN = path.join(import.meta.dirname, '../../packages/limn/bin/limn.js');

/** Runs a command of limn in a folder; what it says is shown. */
export function runLimn(words: readonly string[], folder?: string): void {
  execFileSync(process.execPath, [LIMN, ...words], {
    stdio: 'inherit',
    ...(folder === undefined ? {} : { cwd: folder }),
  });
}

/** Of validation's 64 topics this makes 20 random changes and the bare model: a threshold of 5 % takes 19 at least. */
const NEGATIVES = 'zero:0.1,random:0.3,generic:0.1';

/** Where the adapter, its evaluation and the audit go, beside the packs. */
const FILES = {
  adapter: 'adapter',
  evaluation: 'evaluation.json',
  audit: 'audit.json',
  /** The words that made them. */
  stamp: 'commands.json',
} as const;

/** Words behind `limn`, in the folder of the packs, that train the adapter, measure it, and audit. */
export function adapterWords(
  base: string,
  { adapter }: StudyPlan,
): Readonly<Record<'train' | 'evaluate' | 'audit', string[]>> {
  const settings = {
    rank: adapter.rank,
    alpha: adapter.rank * adapter.scale,
    rate: adapter.rate,
    batch: adapter.batch,
    updates: adapter.updates,
    'warm-up': adapter.warmUp,
    decay: adapter.decay,
    patience: adapter.patience,
    'evaluate-every': adapter.evaluateEvery,
    wordings: 4,
  };
  const given = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const learnt = ['--diffs', 'train', '--diffs', 'generic-train', '--validation', 'validation', '--none', NEGATIVES];
  const tested = ['--test', 'test', '--test', 'generic-test'];
  const asked = ['--base', base, '--adapter', FILES.adapter];
  return {
    train: ['dit', 'train', '--base', base, ...learnt, ...tested, '--world', 'chat', ...given, '--out', FILES.adapter],
    evaluate: ['dit', 'evaluate', ...asked, '--diffs', 'test', '--search', '--controls', '--out', FILES.evaluation],
    audit: ['dit', 'audit', 'test', ...Object.keys(CLEAN), ...asked, '--out', FILES.audit],
  };
}

/** Figures of an evaluation, as its file has them. */
interface Evaluation {
  readonly figures: readonly {
    readonly name: string;
    readonly figures: readonly {
      readonly kind: string;
      readonly exact: MeanFigure;
      readonly top1: MeanFigure | null;
      readonly mrr: MeanFigure | null;
      readonly alarms: MeanFigure | null;
    }[];
  }[];
}

/** Clean diffs that the audit has beside the changed ones: one kind learnt ordinary answers, the other is as large as the changed ones. */
const CLEAN = { 'generic-test': 'ordinary answers', 'random-test': 'random changes as large' } as const;

/** Trains, evaluates and audits in the folder of a base's packs, as far as that is not done with the same words. */
export async function commandFigures(base: string, folder: string, plan: StudyPlan): Promise<CommandFinding> {
  const words = adapterWords(existsSync(base) ? path.resolve(base) : base, plan);
  const at = (name: string): string => path.join(folder, name);
  const stamp = JSON.stringify({ limn: version, words: adapterWords(base, plan) });
  if (!existsSync(at(FILES.stamp)) || readFileSync(at(FILES.stamp), 'utf8') !== stamp) {
    for (const name of Object.values(FILES)) rmSync(at(name), { recursive: true, force: true });
    writeFileSync(at(FILES.stamp), stamp);
  }
  await writeRandom(at('test'), at('random-test'));
  if (!existsSync(at(path.join(FILES.adapter, 'dit.json'))))
    runLimn([...words.train, ...(existsSync(at(FILES.adapter)) ? ['--resume'] : [])], folder);
  if (!existsSync(at(FILES.evaluation))) runLimn(words.evaluate, folder);
  if (!existsSync(at(FILES.audit))) runLimn(words.audit, folder);
  const { figures } = JSON.parse(readFileSync(at(FILES.evaluation), 'utf8')) as Evaluation;
  return {
    model: base,
    words: Object.values(adapterWords(base, plan)),
    evaluated: figures.flatMap(({ name, figures: own }) => {
      const all = own.find(({ kind }) => kind === 'all');
      const nothing = own.find(({ kind }) => kind === 'nothing to tell');
      return all ? [{ name, exact: all.exact, top1: all.top1, mrr: all.mrr, alarms: nothing?.alarms ?? null }] : [];
    }),
    audit: auditFigures(ditAuditFromJson(readFileSync(at(FILES.audit), 'utf8'))),
  };
}

/** A pack of random changes, each as large as one of the test's, of which there is nothing to tell. */
async function writeRandom(test: string, folder: string): Promise<void> {
  if (existsSync(path.join(folder, 'diffs.json'))) return;
  const diffs = (await openPack(test)).map(({ gate: _gate, ...diff }, i): TrainedDiff => ({
    ...diff,
    key: `random ${diff.key}`,
    spec: { ...diff.spec, id: `random/${i}`, about: { world: 'chat', behaviour: null, trigger: null } },
    lora: randomLike(diff.lora, hash('study audit', i)),
    losses: [],
  }));
  mkdirSync(folder, { recursive: true });
  await savePack(folder, diffs);
}

/** Areas of all, and against each kind of clean diffs alone. */
function auditFigures({ roc, rows }: DitAuditRecord): CommandFinding['audit'] {
  const [curve] = roc ?? [];
  if (!curve) throw new Error('the audit has no curve');
  const chosen = curve.chosen === undefined ? undefined : curve.points[curve.chosen];
  const changed = rows.filter(({ label }) => typeof label === 'string');
  const areaOf = (all: DitAuditRecord['rows'], score: (row: DitAuditRecord['rows'][number]) => number): number =>
    rocCurve(
      all.map(score),
      all.map(({ label }) => typeof label === 'string'),
    ).area;
  const kinds = Object.entries(CLEAN).map(([pack, kind]) => {
    const clean = rows.filter(({ name }) => name.startsWith(`${pack.replace('-test', '')}/`));
    const all = [...changed, ...clean];
    const byAnswer = areaOf(all, ({ none }) => 1 - none);
    const byNorm = areaOf(all, ({ norm = 0 }) => norm);
    return [kind, { clean: clean.length, area: byAnswer, byNorm }] as const;
  });
  return {
    changed: curve.positives,
    clean: curve.negatives,
    area: curve.area,
    interval: curve.interval ?? null,
    threshold: chosen ? { hits: chosen.truePositives, alarms: chosen.falsePositives } : null,
    against: Object.fromEntries(kinds),
  };
}
