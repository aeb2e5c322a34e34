// Pocket's six tasks under three metrics: how faithful the circuits of EAP, EAP-IG and exact patching are, how the scores agree, and whether
// the gradient is saturated. Goes on where it stopped: every finished task is kept in bench/results.
// npm run table [-- --pairs 24 --eval-pairs 24 --seed 0 --task ioi --out DIR]
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import {
  agreement,
  eap,
  eapIgInputs,
  exactSweep,
  faithfulnessCurves,
  gradientRatio,
  METRICS,
  type Metric,
  type Scores,
} from '@limn/attribution';
import { openNodeGpu } from '@limn/gpu/node';
import { SIX_TASKS, type MetricName, type TaskFamily } from '@limn/tasks';
import { headlineCurve, openModel, POCKET, taskPairs, version, type OpenModel, type PairSets } from 'limn';
import { whole } from './arguments.mjs';
import { adapterName, RESULTS, save } from './result-file.mjs';
import {
  TABLE_METHODS,
  type Cell,
  type MethodCell,
  type Table,
  type TableHeader,
  type TableMethod,
} from './table/cell.mjs';
import { tableMarkdown } from './table/markdown.mjs';

const IG_STEPS = 5;
const { values: options } = parseArgs({
  options: {
    pairs: { type: 'string', default: '24' },
    'eval-pairs': { type: 'string', default: '24' },
    seed: { type: 'string', default: '0' },
    model: { type: 'string', default: POCKET },
    task: { type: 'string', multiple: true, default: [...SIX_TASKS] },
    out: { type: 'string', default: RESULTS },
  },
});
const tasks = SIX_TASKS.filter((task) => options.task.includes(task));
if (tasks.length < new Set(options.task).size) throw new Error(`a task is one of ${SIX_TASKS.join(', ')}`);

const gpu = await openNodeGpu({ label: 'table' });
const model = await openModel(gpu, options.model);
const { adapter, source } = gpu.capabilities;
const header: TableHeader = {
  table: 'limn.task-table',
  version: 1,
  model: model.name,
  weightsSha256: model.hooked.info.fingerprint,
  pairs: whole(options.pairs),
  evalPairs: whole(options['eval-pairs']),
  seed: whole(options.seed),
  igSteps: IG_STEPS,
  igRule: 'left',
  adapter: adapter.description || adapter.device,
  limn: version,
};
const file = path.join(options.out, `task-table-${adapterName(source, header.adapter)}.json`);

let table: Table = { ...header, cells: earlierCells(file, header) };
for (const task of tasks) {
  if (METRICS.every((metric) => table.cells.some((cell) => cell.task === task && cell.metric === metric.name))) {
    console.log(`${task}: already in ${file}`);
    continue;
  }
  const started = performance.now();
  const cells = await measureTask(model, task, header);
  const seconds = (performance.now() - started) / 1000;
  table = {
    ...table,
    cells: [
      ...table.cells.filter((cell) => cell.task !== task),
      ...cells.map((cell) => ({ ...cell, seconds: seconds / cells.length })),
    ],
  };
  save(file, `${JSON.stringify(table, undefined, 1)}\n`);
  save(file.replace(/json$/, 'md'), tableMarkdown(table));
  console.log(`${task}: ${seconds.toFixed(0)} s`);
}
save(file.replace(/json$/, 'md'), tableMarkdown(table));
console.log(`\n${tableMarkdown(table)}\nwritten to ${path.relative(process.cwd(), file)} and .md`);
model[Symbol.dispose]();
gpu.dispose();

/** One task under every metric: exact patching reads all of them from one sweep. */
async function measureTask(
  { hooked }: OpenModel,
  task: TaskFamily,
  { pairs, evalPairs, seed }: TableHeader,
): Promise<Omit<Cell, 'seconds'>[]> {
  const sets = taskPairs({ task, discovery: pairs, evaluation: evalPairs, seed });
  const exact = await exactSweep(hooked, sets.discovery, { metrics: METRICS, onProgress: progress(`${task}: exact`) });
  const cells: Omit<Cell, 'seconds'>[] = [];
  for (const [m, metric] of METRICS.entries()) {
    const scores: Readonly<Record<TableMethod, Scores>> = {
      eap: await eap(hooked, sets.discovery, { metric }),
      'eap-ig-inputs': await eapIgInputs(hooked, sets.discovery, { metric, steps: IG_STEPS, rule: 'left' }),
      exact: exact[m] as Scores,
    };
    cells.push(await measureCell(hooked, task, metric, sets, scores));
    console.log(`${task}, ${metric.name}: done`);
  }
  return cells;
}

async function measureCell(
  hooked: OpenModel['hooked'],
  task: TaskFamily,
  metric: Metric,
  { evaluation }: PairSets,
  scores: Readonly<Record<TableMethod, Scores>>,
): Promise<Omit<Cell, 'seconds'>> {
  let baselines = { clean: Number.NaN, corrupted: Number.NaN };
  const methods: Partial<Record<TableMethod, MethodCell>> = {};
  for (const method of TABLE_METHODS) {
    const curves = await faithfulnessCurves(hooked, scores[method], evaluation, { metric });
    baselines = curves.baselines;
    // Under KL the gradient at the clean run is zero, so EAP's scores are round-off and there is nothing to compare.
    const silent = method === 'eap' && metric.usesClean;
    methods[method] = {
      points: headlineCurve(curves).points.map(({ n, kept, faithfulness }) => ({ n, kept, faithfulness })),
      logArea: curves.areas.logArea,
      smallest85: curves.smallest[0]?.n ?? null,
      smallest95: curves.smallest[1]?.n ?? null,
      agreement: method === 'exact' || silent ? null : agreement(scores[method], scores.exact),
    };
  }
  return {
    task,
    metric: metric.name as MetricName,
    baselines,
    gradientRatio: gradientRatio(scores.eap, scores['eap-ig-inputs']),
    methods: methods as Record<TableMethod, MethodCell>,
  };
}

/** Cells of a table with the same header; none where anything that decides the numbers differs. */
function earlierCells(from: string, { ...wanted }: TableHeader): readonly Cell[] {
  if (!existsSync(from)) return [];
  const { cells, ...found } = JSON.parse(readFileSync(from, 'utf8')) as Table;
  return JSON.stringify(found) === JSON.stringify(wanted) ? cells : [];
}

/** A line at every tenth of a long sweep. */
function progress(what: string): (progress: { done: number; total: number }) => void {
  let told = 0;
  return ({ done, total }) => {
    const tenth = Math.floor((10 * done) / total);
    if (tenth > told) console.log(`${what} ${(told = tenth) * 10} %`);
  };
}
