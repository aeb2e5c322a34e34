// docs/transcoders.md from a study: transcoder, SAE and neurons at equal L0, and whether the claim of arXiv 2406.11944 holds, decided by the numbers.
import { markdownTable, mean, shown } from '../markdown-table.mjs';
import { costOf, layersOf, neuronScores, ofDictionaries, ofNeurons, placesOf, scoresOf, type Place } from './cells.mjs';
import { FRONTIERS } from './drawing.mjs';
import type { Kind } from './specs.mjs';
import type { TranscoderStudy } from './study.mjs';
import { verdict, type Verdict } from './verdict.mjs';

/** Nats of mean-ablation from which the share recovered says something. */
const WORTH = 0.2;

/** The whole page. */
export function transcodersMarkdown(study: TranscoderStudy): string {
  const { settings, evaluation, interpretability, model } = study;
  const { features, tokens, sparsities, seeds, rowsPerUpdate, updates, activation, auxiliary, rate } = settings;
  const minutes = mean60(Object.values(study.seconds));
  return `# Transcoders, SAEs and neurons on pocket

Made by \`npm run transcoders -- --work DIR\`: transcoders, SAEs and raw neurons of the same MLPs at equal L0, as in _Transcoders Find
Interpretable LLM Feature Circuits_ (arXiv 2406.11944), on pocket (weights ${model.weightsSha256.slice(0, 12)}); ${study.adapter}; limn ${study.limn}; ${minutes} minutes.

Every dictionary has ${features} features (${shown(features / model.width, 0)} × the width), activation ${activation}, and saw ${tokens.toLocaleString('en')} tokens of pocket's corpus (${updates} updates of
${rowsPerUpdate}), Adam at ${rate}, AuxK weighed ${auxiliary}; all from one stream, ${sparsities.length} sparsities × ${seeds.length} seeds. Measured on ${evaluation.predictions.toLocaleString('en')} predictions of a stream that nothing was
trained on, where pocket's own loss is ${shown(evaluation.loss, 4)} nats. The neurons are the k of an MLP that write most for a token; the others are at zero or
at their mean, whichever does better. Cells are means over the seeds; a second number is the largest distance of a seed from it.

## Fidelity

![KL against L0 by layer: transcoders, SAEs and neurons](${FRONTIERS})

${layersOf(study)
  .map((layer) => fidelityOf(study, layer))
  .join('\n\n')}

All layers replaced at once:

${jointTable(study)}

## Interpretability

Mean over live features of the best F1 with what the corpus knows about every token (label and threshold chosen on one half of ${interpretability.tokens.toLocaleString('en')} tokens,
scored on the other; ${interpretability.usableLabels} labels), less the same with permuted labels. Live: features that fire on at least ten tokens.

${markdownTable(
  ['layer', 'L0', 'transcoder', 'SAE', 'neurons', 'live', 'live, SAE', 'live, neurons'],
  placesOf(study).map((place) => interpretabilityRow(study, place)),
  2,
)}

## What holds here

${claims(study)}

One model, of ${layersOf(study).length} layers and width ${study.model.width}, whose corpus has few kinds of sentences: none of this says how it is in larger models. The SAE rebuilds
the MLP's output from itself, the transcoder from what the MLP reads. Every dictionary saw the same tokens, fewer than it could use: [the set that
comes with pocket](../packages/pocket/transcoders/README.md) saw more and leaves less, and its card puts an SAE that saw as many beside it.
`;
}

const mean60 = (seconds: readonly number[]): string => shown(seconds.reduce((sum, s) => sum + s, 0) / 60, 0);

/** '0.123 ± 0.004': the mean over seeds and the largest distance from it. */
function overSeeds(values: readonly number[], digits: number): string {
  const middle = mean(values);
  const most = Math.max(...values.map((value) => Math.abs(value - middle)));
  return values.length === 1 ? shown(middle, digits) : `${shown(middle, digits)} ± ${shown(most, digits)}`;
}

function fidelityOf(study: TranscoderStudy, layer: number): string {
  const cost = costOf(study, layer);
  const rows = study.settings.sparsities.map((k) => {
    const place = { layer, k };
    const both = (value: Parameters<typeof ofDictionaries>[3], digits: number): string[] =>
      (['transcoder', 'sae'] as const).map((kind) => overSeeds(ofDictionaries(study, kind, place, value), digits));
    return [
      String(k),
      ...both(({ recovered }) => recovered.mean.loss, 3),
      shown(
        ofNeurons(study, place, ({ recovered }) => recovered.mean.loss),
        3,
      ),
      ...both(({ divergence }) => divergence, 4),
      shown(
        ofNeurons(study, place, ({ divergence }) => divergence),
        4,
      ),
      ...both(({ fvu }) => fvu, 3),
      ...both(({ deadShare }) => 100 * deadShare, 0),
    ];
  });
  const head = ['L0', 'CE, t', 'CE, SAE', 'CE, neurons', 'KL, t', 'KL, SAE', 'KL, neurons', 'FVU, t', 'FVU, SAE'];
  return `Layer ${layer}, whose mean-ablation costs ${shown(cost, 2)} nats${cost < WORTH ? ' (so little that KL is to be read, not the share recovered)' : ''}. t: transcoder; CE: share of that cost recovered; KL in nats; dead in %.

${markdownTable([...head, 'dead, t', 'dead, SAE'], rows)}`;
}

function jointTable({ evaluation, settings }: TranscoderStudy): string {
  const of = (kind: string, k: number, value: (each: (typeof evaluation.together)[number]) => number, digits: number) =>
    overSeeds(
      settings.seeds.flatMap((seed) =>
        evaluation.together.filter(({ name }) => name === `${kind}, k ${k}, seed ${seed}`).map(value),
      ),
      digits,
    );
  return markdownTable(
    ['L0 a layer', 'CE, t', 'CE, SAE', 'KL, t', 'KL, SAE', 'same top, t', 'same top, SAE'],
    settings.sparsities.map((k) => [
      String(k),
      ...['transcoder', 'sae'].map((kind) => of(kind, k, ({ recovered }) => recovered.mean.loss, 3)),
      ...['transcoder', 'sae'].map((kind) => of(kind, k, ({ divergence }) => divergence, 4)),
      ...['transcoder', 'sae'].map((kind) => of(kind, k, ({ agreement }) => agreement, 3)),
    ]),
  );
}

function interpretabilityRow(study: TranscoderStudy, place: Place): string[] {
  const [transcoders, saes, neurons] = [
    scoresOf(study, 'transcoder', place),
    scoresOf(study, 'sae', place),
    neuronScores(study, place),
  ];
  const above = (all: typeof transcoders): string =>
    overSeeds(
      all.map(({ aboveNull }) => aboveNull.mean),
      3,
    );
  const live = (all: typeof transcoders): string => shown(mean(all.map((each) => each.live)), 0);
  return [
    String(place.layer),
    String(place.k),
    above(transcoders),
    above(saes),
    shown(neurons.aboveNull.mean, 3),
    live(transcoders),
    live(saes),
    String(neurons.live),
  ];
}

/** What the paper says, and what the numbers say of it. */
export function claims(study: TranscoderStudy): string {
  const places = placesOf(study);
  const kl = ({ divergence }: { readonly divergence: number }): number => divergence;
  const words = ({ first, second, undecided }: Verdict): string =>
    `better in ${first} of ${places.length} places (layer × L0), worse in ${second}, the seeds disagree in ${undecided}`;
  const holds = ({ first, second, undecided }: Verdict): string =>
    second === 0 && undecided === 0
      ? 'It holds here.'
      : first > second
        ? 'It holds in part.'
        : 'It does not hold here.';
  const transcoders = (place: Place) => ofDictionaries(study, 'transcoder', place, kl);
  const saes = verdict(places.map((place) => [transcoders(place), ofDictionaries(study, 'sae', place, kl)]));
  const recovered = (kind: Kind) => (place: Place) =>
    ofDictionaries(study, kind, place, (figures) => figures.recovered.mean.loss);
  const [own, others] = [recovered('transcoder'), recovered('sae')];
  const lost = (values: readonly number[]): number[] => values.map((value) => -value);
  const byLoss = verdict(places.map((place) => [lost(own(place)), lost(others(place))]));
  const gap = Math.max(...places.map((place) => mean(others(place)) - mean(own(place))));
  const neurons = verdict(places.map((place) => [transcoders(place), [ofNeurons(study, place, kl)]]));
  // F1 is better where it is more.
  const lack = (all: ReturnType<typeof scoresOf>): number[] => all.map(({ aboveNull }) => -aboveNull.mean);
  const read = (others: (place: Place) => number[]): Verdict =>
    verdict(places.map((place) => [lack(scoresOf(study, 'transcoder', place)), others(place)]));
  const readSaes = read((place) => lack(scoresOf(study, 'sae', place)));
  const readNeurons = read((place) => lack([neuronScores(study, place)]));
  const ratios = places.map((place) => mean(transcoders(place)) / mean(ofDictionaries(study, 'sae', place, kl)));
  return `- **Transcoders are at least as faithful as SAEs at equal L0** (the paper's claim). By the share of CE recovered, which the paper reads, the transcoder
  is ${words(byLoss)}; it is at most ${shown(gap, 3)} behind. By KL, which sees more, it is ${words(saes)}; its KL is ${shown(Math.min(...ratios), 2)} to ${shown(Math.max(...ratios), 2)} times
  the SAE's. ${holds(saes)}
- **Transcoders are more faithful than the raw neurons at equal L0** (which the paper does not ask). By KL the transcoder is ${words(neurons)}. ${holds(neurons)}
- **Features of transcoders are about as easy to read as those of SAEs** (the paper had people rate them). By F1 above permuted labels the transcoder is ${words(readSaes)}.
- **Features are easier to read than neurons.** By the same measure the transcoder is ${words(readNeurons)}. ${holds(readNeurons)}`;
}
