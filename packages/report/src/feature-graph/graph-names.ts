// Nodes of a graph as one calls them, and what they are to its sliders.
import { numberText, percentText } from '../number-text.js';
import { bare, clip } from '../token-words.js';
import type { FeatureGraphNode, FeatureGraphRecord } from './graph-record.js';

/** What the names of nodes need of a graph. */
export type NamedGraph = Pick<FeatureGraphRecord, 'prompt' | 'layers'>;

/** Features, errors and skips come and go with the slider; what is read and what is explained stays. */
export const isMovable = ({ kind }: FeatureGraphNode): boolean =>
  kind === 'feature' || kind === 'error' || kind === 'skip';

/** ' 17' → '“17”'. */
const quoted = (token: string | undefined): string => `“${clip(bare(token ?? ''), 18)}”`;

/** A node in a few words: '3 · 1204 birds' or 'error of layer 3'; where it stands is left to `placeOf`. */
export function nodeName(node: FeatureGraphNode, { prompt }: NamedGraph): string {
  const { kind, layer, label, bias, feature } = node;
  switch (kind) {
    case 'feature':
      return label ? clip(label, 60) : `feature ${layer}/${feature}`;
    case 'error':
      return `error of layer ${layer}`;
    case 'skip':
      return `skip of layer ${layer}`;
    case 'token':
      return `token ${quoted(prompt[node.position ?? 0])}`;
    case 'position':
      return `position ${node.position}`;
    case 'bias':
      return `${bias ?? 'bias'}${layer === undefined ? '' : ` of layer ${layer}`}`;
    case 'output':
      return `output ${clip(bare(label ?? node.id), 40)}`;
  }
}

/** 'layer 3, 8 “17”'; nothing for what stands everywhere. */
export function placeOf({ kind, layer, position }: FeatureGraphNode, { prompt }: NamedGraph): string {
  if (kind === 'bias' || position === undefined) return '';
  const at = `${position} ${quoted(prompt[position])}`;
  return layer === undefined ? at : `layer ${layer}, ${at}`;
}

/** What is known of a node, as names and values. */
export function nodeFigures(node: FeatureGraphNode): readonly (readonly [name: string, value: string])[] {
  const { kind, feature, activation, value, probability, influence, token } = node;
  const figures: readonly (readonly [string, string | undefined])[] = [
    ['feature', feature === undefined ? undefined : numberText(feature, 9)],
    ['activation', activation === undefined ? undefined : numberText(activation)],
    [kind === 'output' ? 'logit, demeaned' : 'value', value === undefined ? undefined : numberText(value)],
    ['probability', probability === undefined ? undefined : percentText(probability, 3)],
    ['token id', token === undefined ? undefined : numberText(token, 9)],
    ['influence up to its rank', influence === undefined || !isMovable(node) ? undefined : percentText(influence, 3)],
  ];
  return figures.flatMap(([name, text]) => (text === undefined ? [] : [[name, text] as const]));
}
