// The tables and curves of arXiv 2403.17806 on pocket: edges needed for 85 % faithfulness by method, agreement with exact patching, overlap against
// transfer, over several data seeds and every model that is given; writes docs/circuits.md and its drawings. Goes on where it stopped: every
// finished task, seed and model is kept in bench/results.
// npm run circuits [-- --model pocket --model DIR --pairs 24 --eval-pairs 24 --seed 0 --seed 1 --seed 2 --task ioi --size 50 --out DIR --page FILE]
import path from 'node:path';
import { parseArgs } from 'node:util';
import {
  agreement,
  circuitsOfSize,
  compareAll,
  crossFaithfulness,
  exactEdges,
  faithfulnessCurves,
  metricByName,
  overlapAgainstFaithfulness,
  pearson,
  scoreEdges,
  smallestCircuit,
  type Scores,
} from '@limn/attribution';
import { openNodeGpu } from '@limn/gpu/node';
import type { HookedModel } from '@limn/hooks';
import { openModel, POCKET, taskPairs, version } from 'limn';
import { whole } from './arguments.mjs';
import { studyDrawings } from './circuits/drawings.mjs';
import { studyMarkdown } from './circuits/markdown.mjs';
import {
  STUDY_METHODS,
  type MethodFinding,
  type SeedComparison,
  type Study,
  type StudyMethod,
  type TaskFinding,
} from './circuits/study.mjs';
import { STUDY_TASKS } from './circuits/tasks.mjs';
import { keptStudy, onTheseWeights, wanted } from './kept-study.mjs';
import { adapterName, RESULTS, save } from './result-file.mjs';

const IG_STEPS = 5;
const { values: options } = parseArgs({
  options: {
    pairs: { type: 'string', default: '24' },
    'eval-pairs': { type: 'string', default: '24' },
    seed: { type: 'string', multiple: true, default: ['0', '1', '2'] },
    task: { type: 'string', multiple: true, default: [...STUDY_TASKS] },
    size: { type: 'string', default: '50' },
    model: { type: 'string', multiple: true, default: [POCKET] },
    out: { type: 'string', default: RESULTS },
    page: { type: 'string', default: path.join(import.meta.dirname, '../docs/circuits.md') },
  },
});
const tasks = STUDY_TASKS.filter((task) => options.task.includes(task));
if (tasks.length < new Set(options.task).size) throw new Error(`a task is one of ${STUDY_TASKS.join(', ')}`);
const size = whole(options.size);

const gpu = await openNodeGpu({ label: 'circuits' });
const { adapter, source } = gpu.capabilities;
const header = {
  study: 'limn.circuits',
  version: 2,
  adapter: adapter.description || adapter.device,
  limn: version,
  pairs: whole(options.pairs),
  evalPairs: whole(options['eval-pairs']),
  igSteps: IG_STEPS,
  seeds: options.seed.map(whole),
} as const;
const file = path.join(options.out, `circuits-${adapterName(source, header.adapter)}.json`);
const kept = keptStudy<Study>(file, header);
const asked = { models: options.model, seeds: header.seeds };
let study: Study = {
  ...header,
  models: [],
  findings: wanted(kept?.findings, asked),
  comparisons: wanted(kept?.comparisons, asked).filter((each) => each.n === size),
};

for (const name of options.model) {
  const model = await openModel(gpu, name);
  const own = { name, weightsSha256: model.hooked.info.fingerprint };
  study = {
    ...study,
    models: [...study.models, own],
    findings: onTheseWeights(study.findings, kept, own),
    comparisons: onTheseWeights(study.comparisons, kept, own),
  };
  for (const seed of header.seeds) await studySeed(name, model.hooked, seed);
  model[Symbol.dispose]();
}
save(options.page, studyMarkdown(study));
for (const [name, svg] of Object.entries(studyDrawings(study))) save(path.join(path.dirname(options.page), name), svg);
console.log(`written to ${path.relative(process.cwd(), file)} and ${path.relative(process.cwd(), options.page)}`);
gpu.dispose();

/** All tasks under one seed, and how their circuits compare. */
async function studySeed(model: string, hooked: HookedModel, seed: number): Promise<void> {
  const scores: Record<string, Scores> = {};
  for (const task of tasks) {
    const started = performance.now();
    const known = study.findings.find((each) => each.model === model && each.task === task && each.seed === seed);
    const { found, ig } = await measure(hooked, task, seed, known);
    scores[task] = ig;
    if (known) continue;
    study = { ...study, findings: [...study.findings, { model, ...found }] };
    save(file, `${JSON.stringify(study, undefined, 1)}\n`);
    console.log(`${model}, seed ${seed}, ${task}: ${((performance.now() - started) / 1000).toFixed(0)} s`);
  }
  const compared = study.comparisons.some((each) => each.model === model && each.seed === seed);
  if (tasks.length < 2 || compared) return;
  study = { ...study, comparisons: [...study.comparisons, { model, ...(await compare(hooked, seed, scores)) }] };
  save(file, `${JSON.stringify(study, undefined, 1)}\n`);
  console.log(`${model}, seed ${seed}: compared`);
}

/** What every method finds for one task; of a task that is known already only the scores of EAP-IG, which the comparison needs. */
async function measure(
  hooked: HookedModel,
  task: (typeof tasks)[number],
  seed: number,
  known: TaskFinding | undefined,
): Promise<{ found: Omit<TaskFinding, 'model'>; ig: Scores }> {
  const sets = taskPairs({ task, discovery: header.pairs, evaluation: header.evalPairs, seed });
  const metric = metricByName(sets.metric);
  const score = (method: StudyMethod): Promise<Scores> =>
    scoreEdges(hooked, sets.discovery, { method, metric, ...(method === 'eap-ig-inputs' ? { steps: IG_STEPS } : {}) });
  const ig = await score('eap-ig-inputs');
  if (known) return { found: known, ig };
  const exact = await exactEdges(hooked, sets.discovery, { metric });
  const methods: Partial<Record<StudyMethod, MethodFinding>> = {};
  for (const method of STUDY_METHODS) {
    const scores = method === 'exact' ? exact : method === 'eap-ig-inputs' ? ig : await score(method);
    const choice = { metric, selector: 'greedy' } as const;
    const { found } = await smallestCircuit(hooked, scores, sets.evaluation, choice);
    const { curves, areas } = await faithfulnessCurves(hooked, scores, sets.evaluation, choice);
    methods[method] = {
      smallest: found && { n: found.n, kept: found.kept, faithfulness: found.faithfulness as number },
      agreement: method === 'exact' ? null : agreementWith(scores, exact),
      curve: (curves[0]?.points ?? []).map(({ n, faithfulness }) => ({ n, faithfulness })),
      cpr: areas.cpr,
      cmd: areas.cmd,
    };
  }
  return { found: { seed, task, metric: metric.name, methods: methods as Record<StudyMethod, MethodFinding> }, ig };
}

function agreementWith(scores: Scores, exact: Scores): MethodFinding['agreement'] {
  const { spearman, topOverlap } = agreement(scores, exact, { k: 10 });
  const sizes = ({ graph, values }: Scores): number[] =>
    [...graph.edges()].map(({ u, v }) => Math.abs(values[graph.dense(u, v)] as number));
  return { pearson: pearson(sizes(scores), sizes(exact)), spearman, top10: topOverlap.value };
}

/** The tasks' circuits of equal size: what they share, and what each does on the others' held-out pairs. */
async function compare(
  hooked: HookedModel,
  seed: number,
  scores: Readonly<Record<string, Scores>>,
): Promise<Omit<SeedComparison, 'model'>> {
  const circuits = circuitsOfSize(scores, size, { selector: 'greedy' });
  const sets = Object.fromEntries(
    tasks.map((task) => {
      const { evaluation, metric } = taskPairs({ task, discovery: header.pairs, evaluation: header.evalPairs, seed });
      return [task, { pairs: evaluation, metric: metricByName(metric) }];
    }),
  );
  const comparisons = compareAll(circuits);
  const cross = await crossFaithfulness(hooked, circuits, sets);
  const { correlation } = overlapAgainstFaithfulness(comparisons.pairs, cross);
  const between = (a: string, b: string) =>
    comparisons.pairs.find(({ first, second }) => (first === a && second === b) || (first === b && second === a));
  return {
    seed,
    n: size,
    transfers: cross.tasks.flatMap((task, t) =>
      cross.circuits.map((circuit, c) => ({
        task,
        circuit,
        faithfulness: cross.faithfulness[t]?.[c]?.value ?? null,
        edgeIou: between(task, circuit)?.edges.iou ?? null,
        nodeIou: between(task, circuit)?.nodes.iou ?? null,
        p: between(task, circuit)?.edges.p ?? null,
      })),
    ),
    correlation: { edgeIou: correlation.edgeIou.pearson, nodeIou: correlation.nodeIou.pearson },
    core: { edges: comparisons.core.edges.length, nodes: comparisons.core.nodes.length },
  };
}
