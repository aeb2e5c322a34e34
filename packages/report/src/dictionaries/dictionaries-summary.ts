// Dictionaries over several sparsities in a few plain sentences.
import { numberText } from '../number-text.js';
import type { Summary } from '../summary.js';
import type { DictionariesRecord, DictionaryPoint } from './dictionaries-record.js';
import { atEqualSparsity, leastCost, type EqualSparsity, type Measure } from './equal-sparsity.js';

/** Says what was measured, how transcoders stand to the others at equal L0, and which layers' ablation costs too little to tell; nothing that the record does not hold. */
export function summariseDictionaries(record: DictionariesRecord): Summary {
  const { points, layers, loss, predictions } = record;
  const sources = new Set(points.map(({ source }) => source));
  const small = layers.filter(({ cost }) => cost < leastCost).map(({ layers: [layer] }) => layer);
  return {
    headline: `${numberText(points.length, 9)} dictionaries and baselines of ${layers.length} layer${layers.length === 1 ? '' : 's'}, in the place of their MLPs over ${numberText(predictions, 9)} predictions.`,
    sentences: [
      `The model’s own loss is ${numberText(loss)} nats; the mean in an MLP’s place costs ${layers.map(({ layers: [layer], cost }) => `${numberText(cost)} in layer ${layer}`).join(', ')}.`,
      small.length
        ? `Where that is below ${leastCost} nats, in layer${small.length === 1 ? '' : 's'} ${small.join(', ')}, what is recovered is told of the KL and not of the loss.`
        : '',
      ...(['sae', 'neurons'] as const).flatMap((other) =>
        sources.has(other) && sources.has('transcoder')
          ? (['recovered', 'explained'] as const).map((measure) => comparison(record, other, measure))
          : [],
      ),
      recommendation(record),
    ].filter(Boolean),
  };
}

/** Whether transcoders are at least as faithful at equal L0, over all layers. */
function comparison(record: DictionariesRecord, other: 'sae' | 'neurons', measure: Measure): string {
  const found = record.layers.flatMap(({ layers: [layer], cost }) => {
    const of = (source: DictionaryPoint['source']): DictionaryPoint[] =>
      record.points.filter((point) => point.layer === layer && point.source === source);
    return atEqualSparsity(of('transcoder'), of(other), measure, cost) ?? [];
  });
  const name = other === 'sae' ? 'SAEs’' : 'neurons’';
  const what = measure === 'recovered' ? 'recovered' : 'explained of the output';
  if (!found.length) return `Transcoders and ${other === 'sae' ? 'SAEs' : 'neurons'} have no L0 in common.`;
  const sum = (of: (each: EqualSparsity) => number): number => found.reduce((total, each) => total + of(each), 0);
  const points = sum((each) => each.points);
  const difference = sum((each) => each.difference * each.points) / points;
  return `At equal L0 transcoders have at least the ${name} share ${what} in ${numberText(
    sum((each) => each.atLeast),
    9,
  )} of ${numberText(points, 9)} points, ${numberText(Math.abs(difference), 2)} ${difference < 0 ? 'less' : 'more'} on the mean.`;
}

function recommendation({ points, rule }: DictionariesRecord): string {
  const chosen = points.filter(({ recommended }) => recommended);
  if (!chosen.length) return '';
  const each = chosen.map(
    ({ layer, setting, name, l0 }) => `${setting ?? name} (L0 ${numberText(l0)}) in layer ${layer}`,
  );
  return `Recommended${rule === undefined ? '' : ` (${rule})`}: ${each.join(', ')}.`;
}
