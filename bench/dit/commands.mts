// What the commands make of the study's diffs: an adapter of `limn dit train`, what trying its proposals gains, and an audit of changed diffs among clean ones.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { MeanFigure } from '@limn/dit';
import { ditAuditFromJson } from '@limn/report';
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

/** Where the adapter, its evaluation and the audit go, beside the packs. */
const FILES = { adapter: 'adapter', evaluation: 'evaluation.json', audit: 'audit.json' } as const;

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
  const learnt = ['--diffs', 'train', '--diffs', 'generic-train', '--validation', 'validation'];
  const asked = ['--base', base, '--adapter', FILES.adapter];
  return {
    train: ['dit', 'train', '--base', base, ...learnt, '--world', 'chat', ...given, '--out', FILES.adapter],
    evaluate: ['dit', 'evaluate', ...asked, '--diffs', 'test', '--search', '--controls', '--out', FILES.evaluation],
    audit: ['dit', 'audit', 'test', 'generic-test', ...asked, '--out', FILES.audit],
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

/** Trains, evaluates and audits in the folder of a base's packs, as far as that is not done. */
export function commandFigures(base: string, folder: string, plan: StudyPlan): CommandFinding {
  const words = adapterWords(existsSync(base) ? path.resolve(base) : base, plan);
  const at = (name: string): string => path.join(folder, name);
  if (!existsSync(at(path.join(FILES.adapter, 'dit.json'))))
    runLimn([...words.train, ...(existsSync(at(FILES.adapter)) ? ['--resume'] : [])], folder);
  if (!existsSync(at(FILES.evaluation))) runLimn(words.evaluate, folder);
  if (!existsSync(at(FILES.audit))) runLimn(words.audit, folder);
  const { figures } = JSON.parse(readFileSync(at(FILES.evaluation), 'utf8')) as Evaluation;
  const audit = ditAuditFromJson(readFileSync(at(FILES.audit), 'utf8'));
  const [roc] = audit.roc ?? [];
  if (!roc) throw new Error('the audit has no curve');
  const chosen = roc.chosen === undefined ? undefined : roc.points[roc.chosen];
  return {
    model: base,
    evaluated: figures.flatMap(({ name, figures: own }) => {
      const all = own.find(({ kind }) => kind === 'all');
      const nothing = own.find(({ kind }) => kind === 'nothing to tell');
      return all ? [{ name, exact: all.exact, top1: all.top1, mrr: all.mrr, alarms: nothing?.alarms ?? null }] : [];
    }),
    audit: {
      changed: roc.positives,
      clean: roc.negatives,
      area: roc.area,
      interval: roc.interval ?? null,
      threshold: chosen ? { hits: chosen.truePositives, alarms: chosen.falsePositives } : null,
    },
  };
}
