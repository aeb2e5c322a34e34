// The tables of arXiv 2403.17806 on pocket: edges needed for 85 % faithfulness by method, agreement with exact patching, overlap against transfer, over
// several data seeds; writes docs/circuits.md. Goes on where it stopped: every finished task and seed is kept in bench/results.
// npm run circuits [-- --pairs 24 --eval-pairs 24 --seed 0 --seed 1 --seed 2 --task ioi --size 50 --out DIR --page FILE]
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import {
  agreement,
  circuitsOfSize,
  compareAll,
  crossFaithfulness,
  exactEdges,
  metricByName,
  overlapAgainstFaithfulness,
  pearson,
  scoreEdges,
  smallestCircuit,
  type Scores,
} from '@limn/attribution';
import { openNodeGpu } from '@limn/gpu/node';
import { openModel, POCKET, taskPairs, version } from 'limn';
import { whole } from './arguments.mjs';
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
import { adapterName, RESULTS, save } from './result-file.mjs';

const IG_STEPS = 5;
const { values: options } = parseArgs({
  options: {
    pairs: { type: 'string', default: '24' },
    'eval-pairs': { type: 'string', default: '24' },
    seed: { type: 'string', multiple: true, default: ['0', '1', '2'] },
    task: { type: 'string', multiple: true, default: [...STUDY_TASKS] },
    size: { type: 'string', default: '50' },
    model: { type: 'string', default: POCKET },
    out: { type: 'string', default: RESULTS },
    page: { type: 'string', default: path.join(import.meta.dirname, '../docs/circuits.md') },
  },
});
const tasks = STUDY_TASKS.filter((task) => options.task.includes(task));
if (tasks.length < new Set(options.task).size) throw new Error(`a task is one of ${STUDY_TASKS.join(', ')}`);
const size = whole(options.size);

const gpu = await openNodeGpu({ label: 'circuits' });
const model = await openModel(gpu, options.model);
const { hooked } = model;
const { adapter, source } = gpu.capabilities;
const header = {
  study: 'limn.circuits',
  version: 1,
  model: model.name,
  weightsSha256: hooked.info.fingerprint,
  adapter: adapter.description || adapter.device,
  limn: version,
  pairs: whole(options.pairs),
  evalPairs: whole(options['eval-pairs']),
  igSteps: IG_STEPS,
  seeds: options.seed.map(whole),
} as const;
const file = path.join(options.out, `circuits-${adapterName(source, header.adapter)}.json`);
let study: Study = { ...header, ...earlier() };

for (const seed of header.seeds) {
  const scores: Record<string, Scores> = {};
  for (const task of tasks) {
    const started = performance.now();
    const known = study.findings.find((each) => each.task === task && each.seed === seed);
    const { finding, ig } = await measure(task, seed, known);
    scores[task] = ig;
    if (known) continue;
    study = { ...study, findings: [...study.findings, finding] };
    save(file, `${JSON.stringify(study, undefined, 1)}\n`);
    console.log(`seed ${seed}, ${task}: ${((performance.now() - started) / 1000).toFixed(0)} s`);
  }
  if (tasks.length < 2 || study.comparisons.some((each) => each.seed === seed)) continue;
  study = { ...study, comparisons: [...study.comparisons, await compare(seed, scores)] };
  save(file, `${JSON.stringify(study, undefined, 1)}\n`);
  console.log(`seed ${seed}: compared`);
}
save(options.page, studyMarkdown(study));
console.log(`written to ${path.relative(process.cwd(), file)} and ${path.relative(process.cwd(), options.page)}`);
model[Symbol.dispose]();
gpu.dispose();

/** What every method finds for one task; of a task that is known already only the scores of EAP-IG, which the comparison needs. */
async function measure(
  task: (typeof tasks)[number],
  seed: number,
  known: TaskFinding | undefined,
): Promise<{ finding: TaskFinding; ig: Scores }> {
  const sets = taskPairs({ task, discovery: header.pairs, evaluation: header.evalPairs, seed });
  const metric = metricByName(sets.metric);
  const score = (method: StudyMethod): Promise<Scores> =>
    scoreEdges(hooked, sets.discovery, { method, metric, ...(method === 'eap-ig-inputs' ? { steps: IG_STEPS } : {}) });
  const ig = await score('eap-ig-inputs');
  if (known) return { finding: known, ig };
  const exact = await exactEdges(hooked, sets.discovery, { metric });
  const methods: Partial<Record<StudyMethod, MethodFinding>> = {};
  for (const method of STUDY_METHODS) {
    const scores = method === 'exact' ? exact : method === 'eap-ig-inputs' ? ig : await score(method);
    const { found } = await smallestCircuit(hooked, scores, sets.evaluation, { metric, selector: 'greedy' });
    methods[method] = {
      smallest: found && { n: found.n, kept: found.kept, faithfulness: found.faithfulness as number },
      agreement: method === 'exact' ? null : agreementWith(scores, exact),
    };
  }
  return {
    finding: { seed, task, metric: metric.name, methods: methods as Record<StudyMethod, MethodFinding> },
    ig,
  };
}

function agreementWith(scores: Scores, exact: Scores): MethodFinding['agreement'] {
  const { spearman, topOverlap } = agreement(scores, exact, { k: 10 });
  const sizes = ({ graph, values }: Scores): number[] =>
    [...graph.edges()].map(({ u, v }) => Math.abs(values[graph.dense(u, v)] as number));
  return { pearson: pearson(sizes(scores), sizes(exact)), spearman, top10: topOverlap.value };
}

/** The tasks' circuits of equal size: what they share, and what each does on the others' held-out pairs. */
async function compare(seed: number, scores: Readonly<Record<string, Scores>>): Promise<SeedComparison> {
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

/** What an earlier run of the same study found; of another model, machine, version or number of pairs nothing. */
function earlier(): Pick<Study, 'findings' | 'comparisons'> {
  const none = { findings: [], comparisons: [] };
  if (!existsSync(file)) return none;
  const found = JSON.parse(readFileSync(file, 'utf8')) as Study;
  const { findings, comparisons, seeds: _, ...rest } = found;
  const { seeds: __, ...own } = header;
  if (JSON.stringify(rest) !== JSON.stringify(own)) return none;
  return {
    findings: findings.filter(({ seed }) => header.seeds.includes(seed)),
    comparisons: comparisons.filter(({ seed, n }) => header.seeds.includes(seed) && n === size),
  };
}
