// Transcoders and SAEs of pocket's MLPs at several sparsities and seeds, beside raw neurons: trained from one stream, evaluated, and scored
// against what the corpus knows about its tokens; writes docs/transcoders.md and its drawing, and each kind, sparsity and seed as a set into --work.
// Training goes on where it stopped, from its checkpoint in --work.
// npm run transcoders -- --work DIR [--out DIR --page FILE --updates 800 --rows 1024 --k 4 … --seed 0 … --features 512 --rate 0.002 --skip 0 --evaluate 256 --score 512]
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { openNodeGpu } from '@limn/gpu/node';
import { folderCheckpoints } from '@limn/gpt2/node';
import { pocketCorpus } from '@limn/pocket';
import {
  Dictionary,
  evaluateDictionaries,
  interpretabilityScores,
  tokenLabels,
  trainDictionaries,
  type NamedDictionary,
} from '@limn/transcoders';
import { openModel, POCKET, version } from 'limn';
import { whole } from './arguments.mjs';
import { adapterName, RESULTS, save } from './result-file.mjs';
import { jointOf, nameOf, neuronsName, specOf, studied, type SharedSettings } from './transcoders/specs.mjs';
import { frontiersDrawing, FRONTIERS } from './transcoders/drawing.mjs';
import { transcodersMarkdown } from './transcoders/markdown.mjs';
import { compactStudy } from './transcoders/study.mjs';
import { writeSets } from './transcoders/write-sets.mjs';

const { values: options } = parseArgs({
  options: {
    work: { type: 'string' },
    out: { type: 'string', default: RESULTS },
    page: { type: 'string', default: path.join(import.meta.dirname, '../docs/transcoders.md') },
    updates: { type: 'string', default: '800' },
    rows: { type: 'string', default: '1024' },
    k: { type: 'string', multiple: true, default: ['2', '4', '8', '16', '32'] },
    seed: { type: 'string', multiple: true, default: ['0', '1'] },
    features: { type: 'string', default: '512' },
    rate: { type: 'string', default: '0.002' },
    activation: { type: 'string', default: 'top-k' },
    'dead-after': { type: 'string', default: '20000' },
    auxiliary: { type: 'string', default: '0.25' },
    evaluate: { type: 'string', default: '256' },
    score: { type: 'string', default: '512' },
    every: { type: 'string', default: '100' },
    skip: { type: 'string', default: '0' },
  },
});
if (options.work === undefined) throw new Error('--work DIR says where checkpoints and sets go');
if (options.activation !== 'top-k' && options.activation !== 'batch-top-k')
  throw new Error(`--activation is top-k or batch-top-k, not ${options.activation}`);
const { work } = options;
const sparsities = options.k.map(whole);
const seeds = options.seed.map(whole);
/** Positions at the start of every sequence that are neither trained on nor replaced. */
const skip = whole(options.skip);
const updates = whole(options.updates);
const rowsPerUpdate = whole(options.rows);
const shared: SharedSettings = {
  features: whole(options.features),
  rate: Number(options.rate),
  activation: options.activation,
  deadAfter: whole(options['dead-after']),
  auxiliary: Number(options.auxiliary),
};
/** A stream of the corpus that neither pocket nor its dictionaries are trained on. */
const HELD_OUT_SEED = 1_000_003;
const TRAINING_SEED = 2_000_003;

const gpu = await openNodeGpu({ label: 'transcoders' });
const { adapter, source } = gpu.capabilities;
const { hooked: model } = await openModel(gpu, POCKET);
const corpus = pocketCorpus(TRAINING_SEED);
const heldOut = pocketCorpus(HELD_OUT_SEED);
const { sequences, length } = corpus.options;
const batchOf = (of: typeof corpus, batch: number): Uint32Array[] => {
  const tokens = of.batch(batch);
  return Array.from({ length: sequences }, (_, row) => tokens.subarray(row * length, (row + 1) * length));
};
/** Held-out sequences from a batch on, as many as are asked for. */
const places = (from: number, count: number): [batch: number, row: number][] =>
  Array.from({ length: count }, (_, i) => [from + Math.floor(i / sequences), i % sequences]);

const all = studied(model.info.layers, sparsities, seeds);
const specs = all.map((each) => specOf(each, model.info, shared));
const evaluated = places(0, whole(options.evaluate)).map(([batch, row]) => heldOut.sequence(batch, row).tokens);
const seconds: Record<string, number> = {};
const timed = async <T,>(what: string, work: () => Promise<T>): Promise<T> => {
  const started = performance.now();
  const result = await work();
  seconds[what] = (performance.now() - started) / 1000;
  console.log(`${what}: ${seconds[what].toFixed(0)} s`);
  return result;
};

const checkpoints = path.join(work, 'training');
mkdirSync(checkpoints, { recursive: true });
const started = performance.now();
const trained = await timed('training', () =>
  trainDictionaries(model, (batch) => batchOf(corpus, batch), specs, {
    updates,
    rowsPerUpdate,
    skip,
    data: `pocket's corpus, seed ${TRAINING_SEED}`,
    checkpoints: { store: folderCheckpoints(checkpoints), every: whole(options.every) },
    onProgress: ({ update, figures }) => {
      const each = Object.values(figures);
      const mean = (of: (figure: (typeof each)[number]) => number): string =>
        (each.reduce((sum, figure) => sum + of(figure), 0) / each.length).toFixed(3);
      const left = (((performance.now() - started) / update) * (updates - update)) / 60_000;
      console.log(
        `${update} of ${updates}: FVU ${mean(({ fvu }) => fvu)}, L0 ${mean(({ l0 }) => l0)}, dead ${mean(({ deadShare }) => deadShare)}; at most ${left.toFixed(0)} min left`,
      );
    },
  }),
);
const dictionaries: NamedDictionary[] = trained.dictionaries.map(({ spec, weights }) => ({
  name: spec.name,
  dictionary: Dictionary.create(gpu, spec.config, weights),
}));
const baselines = Array.from({ length: model.info.layers }, (_, layer) =>
  sparsities.flatMap((k) => (['zero', 'mean'] as const).map((rest) => ({ layer, k, rest }))),
).flat();
const evaluation = await timed('evaluation', () =>
  evaluateDictionaries(model, evaluated, dictionaries, { skip, neurons: baselines, together: jointOf(all) }),
);

const labelled = places(1000, whole(options.score)).map(([batch, row]) => {
  const { tokens, tags } = heldOut.sequence(batch, row);
  return { tokens, labels: tokenLabels(tokens, tags) };
});
const interpretability = await timed('interpretability', () =>
  interpretabilityScores(
    model,
    labelled,
    [
      ...dictionaries,
      ...baselines
        .filter(({ rest }) => rest === 'zero')
        .map((neurons) => ({ name: neuronsName(neurons.layer, neurons.k), neurons })),
    ],
    {
      skip,
      batchSize: sequences,
      compare: all
        .filter(({ kind }) => kind === 'transcoder')
        .flatMap((each) => [
          [nameOf(each), nameOf({ ...each, kind: 'sae' })] as const,
          [nameOf(each), neuronsName(each.layer, each.k)] as const,
        ]),
    },
  ),
);

const description = adapter.description || adapter.device;
const settings = { updates, rowsPerUpdate, skip, tokens: updates * rowsPerUpdate, sparsities, seeds, ...shared };
await writeSets(path.join(work, 'sets'), all, trained, evaluation.dictionaries, {
  model: model.info,
  training: settings,
  data: { corpus: "pocket's", seed: TRAINING_SEED },
  versions: { limn: version },
  adapter: description,
  command: `npm run transcoders -- ${process.argv
    .slice(2)
    .map((word) => ([work, options.out].includes(word) ? 'DIR' : word === options.page ? 'FILE' : word))
    .join(' ')}`,
});
const file = path.join(options.out, `transcoders-${adapterName(source, description)}.json`);
const study = compactStudy(
  {
    study: 'limn.transcoders',
    version: 1,
    limn: version,
    adapter: description,
    model: { name: POCKET, weightsSha256: model.info.fingerprint, width: model.info.width },
    settings,
    seconds,
  },
  evaluation,
  interpretability,
);
save(file, `${JSON.stringify(study, undefined, 1)}\n`);
save(options.page, transcodersMarkdown(study));
save(path.join(path.dirname(options.page), FRONTIERS), frontiersDrawing(study));
console.log(`written to ${path.relative(process.cwd(), file)} and ${path.relative(process.cwd(), options.page)}`);
for (const { name, l0, fvu, deadShare, recovered, layer } of evaluation.dictionaries) {
  const cost = evaluation.layers.find(({ layers }) => layers[0] === layer)?.cost ?? Number.NaN;
  console.log(
    `${name}: L0 ${l0.toFixed(1)}, FVU ${fvu.toFixed(3)}, dead ${(100 * deadShare).toFixed(0)} %, CE recovered ${recovered.mean.loss.toFixed(3)} of ${cost.toFixed(2)} nats`,
  );
}
for (const { dictionary } of dictionaries) dictionary.dispose();
gpu.dispose();
