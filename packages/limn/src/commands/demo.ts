// `limn demo`: finds the circuits of two behaviours in pocket, measures them on held-out prompts, and writes one report of both.
import { recordToJson, renderReport, type Provenance } from '@limn/report';
import type { Command } from 'commander';
import { graphFile, describeFinding, figuresOf, type FindingFigures } from '../circuit-output.js';
import { circuitRecord } from '../circuit-record.js';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { chooseMethod } from '../methods.js';
import { POCKET, openModel } from '../model-source.js';
import { openOutputFolder, type OutputLayout } from '../output.js';
import { prependBosOf, taskPairs } from '../pairs-source.js';
import { pairsSha256 } from '../pairs-sha256.js';
import { findCircuit } from '../pipeline.js';
import { provenanceOf } from '../provenance.js';
import { integerOption, withSharedOptions, type SharedOptions } from '../shared-options.js';

const DEMO_TASKS = ['greater-than', 'ioi'] as const;
const DEMO_FILES: OutputLayout = { entries: ['report.html', ...DEMO_TASKS], mark: `${DEMO_TASKS[0]}/result.json` };
/** EAP-IG's default number of points. */
const IG_STEPS = 5;
/** Random circuits per size: as few as show a spread, so that the demo stays short. */
const DRAWS = 2;

interface DemoOptions extends SharedOptions {
  readonly pairs: number;
  readonly evalPairs: number;
  readonly seed: number;
  readonly out: string;
}

export function addDemoCommand(program: Command, context: CommandContext): void {
  withSharedOptions(program.command('demo'))
    .description(
      'find two circuits in pocket, the small model that comes with limn, and open on a report (about a minute on a CPU)',
    )
    .option('--pairs <n>', 'pairs to search with, per behaviour', integerOption('--pairs', 1), 16)
    .option('--eval-pairs <n>', 'held-out pairs to measure on, per behaviour', integerOption('--eval-pairs', 1), 24)
    .option('--seed <n>', 'which pairs', integerOption('--seed', 0), 0)
    .option('--out <dir>', 'where the report goes', 'limn-demo')
    .action((options: DemoOptions) => run(options, context));
}

async function run(options: DemoOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  const output = openOutputFolder(options.out, DEMO_FILES);
  try {
    using device = await openDevice(context);
    using model = await openModel(device.gpu, POCKET, { signal, onProgress: console.progress });
    const method = chooseMethod('eap-ig-inputs', { igSteps: IG_STEPS, igRule: 'left' });
    const records = [];
    const figures: (FindingFigures & { readonly provenance: Provenance })[] = [];
    for (const task of DEMO_TASKS) {
      const sets = taskPairs({ task, discovery: options.pairs, evaluation: options.evalPairs, seed: options.seed });
      const found = await findCircuit({
        model: model.hooked,
        sets,
        metric: sets.metric,
        method,
        draws: DRAWS,
        signal,
        onProgress: console.progress,
      });
      const provenance = provenanceOf(device.gpu, model, context, {
        seed: options.seed,
        prompts: sets.evaluation.map((pair) => pair.clean),
        prependBos: prependBosOf(sets),
        pairsSha256: await pairsSha256(sets),
        options: {
          task,
          metric: sets.metric,
          method: method.name,
          igSteps: IG_STEPS,
          igRule: 'left',
          draws: DRAWS,
          pairs: options.pairs,
          evalPairs: options.evalPairs,
        },
      });
      const record = circuitRecord(found, provenance, model.show);
      records.push(record);
      output.write(`${task}/graph.json`, graphFile(found, provenance));
      output.write(`${task}/result.json`, recordToJson(record));
      figures.push({ ...figuresOf(found), provenance });
      for (const line of describeFinding(found)) console.say(line);
    }
    output.write('report.html', renderReport(records));
    signal.throwIfAborted();
    output.commit();
    console.say();
    console.say(`Open ${output.path}/report.html`);
    console.result({
      ok: true,
      command: 'demo',
      out: output.path,
      report: `${output.path}/report.html`,
      circuits: figures,
    });
  } finally {
    output.discard();
  }
}
