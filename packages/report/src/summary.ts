// A circuit's record in a few plain sentences: how few edges are enough, how faithful they are, which heads carry them.
import { ablationWords } from './ablation-words.js';
import { doubtSentences } from './doubt-sentences.js';
import type { CircuitRecord } from './record.js';
import { edgeParts, nodeLabel, numberText, ratioText, percentText } from './number-text.js';

/** A result in words. */
export interface Summary {
  /** One sentence. */
  readonly headline: string;
  readonly sentences: readonly string[];
}

/** A node of the circuit and its share of Σ|score| over the circuit's edges, counted at both ends. */
export interface NodeWeight {
  readonly node: string;
  readonly share: number;
}

/** Nodes of the marked circuit by the |score| that flows in and out of them, largest first; ties by order of computation. */
export function nodeWeights(record: CircuitRecord): NodeWeight[] {
  const weights = new Map<string, number>();
  let total = 0;
  for (const [name, score, inGraph] of record.edges) {
    if (!inGraph || score === null) continue;
    const [source, destination] = edgeParts(name);
    for (const node of [source, destination]) weights.set(node, (weights.get(node) ?? 0) + Math.abs(score));
    total += Math.abs(score);
  }
  return [...weights]
    .map(([node, weight]) => ({ node, share: total ? weight / total : 0 }))
    .sort((a, b) => b.share - a.share);
}

/** Says in a few sentences how few edges are enough, how faithful they are and which heads carry them; nothing that the record does not hold. */
export function summarise(record: CircuitRecord): Summary {
  return {
    headline: headline(record),
    sentences: [scoring(record), bearers(record), sizes(record), ...doubtSentences(record), exactness(record)].filter(
      Boolean,
    ),
  };
}

function headline({ circuit, graph, task, method }: CircuitRecord): string {
  const on = inSentence(task.title ?? task.name);
  const size = `${numberText(circuit.kept, 9)} of ${numberText(graph.edgeCount, 9)} edges (${percentText(circuit.kept / graph.edgeCount)})`;
  const { faithfulness } = circuit;
  if (faithfulness === null)
    return `${size} are the circuit that ${method.title ?? method.name} finds for ${on}; its faithfulness could not be measured.`;
  if (faithfulness <= 0)
    return `${size} do not keep the model’s behaviour on ${on}: their faithfulness is ${ratioText(faithfulness)}.`;
  return `${size} keep ${percentText(faithfulness)} of the model’s behaviour on ${on}.`;
}

function scoring({ method, graph, task, metric, baselines }: CircuitRecord): string {
  const steps = method.igSteps ? ` (${method.igSteps} steps${method.igRule ? `, ${method.igRule} rule` : ''})` : '';
  const pairs = (n: number): string => `${numberText(n, 9)} ${n === 1 ? 'pair' : 'pairs'} of prompts`;
  const searched = task.searchPairs === undefined ? '' : ` on ${pairs(task.searchPairs)}`;
  return (
    `${method.title ?? method.name}${steps} scored all ${numberText(graph.edgeCount, 9)} edges${method.unit === undefined ? '' : ` and all ${method.unit}s`}${searched}. ` +
    `Measured on ${pairs(task.pairs)}${task.heldOut ? ' that the search did not see' : ''}, the metric ${metric.name} is ` +
    `${numberText(baselines.clean)} when they are clean and ${numberText(baselines.corrupted)} ${ablationWords(method).state}.`
  );
}

/** 'Greater-than' → 'greater-than'; 'IOI' and 'MLP 3' stay. */
const inSentence = (title: string): string =>
  /^\p{Lu}\p{Ll}/u.test(title) ? title.charAt(0).toLowerCase() + title.slice(1) : title;

function bearers(record: CircuitRecord): string {
  const weights = nodeWeights(record);
  const named = (kind: RegExp, most: number): string[] =>
    weights
      .filter(({ node }) => kind.test(node))
      .slice(0, most)
      .map(({ node, share }) => `${nodeLabel(node)} (${percentText(share)})`);
  const heads = named(/^a/, 4);
  const mlps = named(/^m/, 2);
  if (!heads.length) return mlps.length ? `No attention head is in the circuit; its MLPs are led by ${and(mlps)}.` : '';
  const one = heads.length === 1;
  return `The ${one ? 'head' : 'heads'} that ${one ? 'matters' : 'matter'} most, by share of the circuit’s score: ${and(heads)}${mlps.length ? `; of the MLPs, ${and(mlps)}` : ''}.`;
}

function sizes({ smallest, graph, method }: CircuitRecord): string {
  const enough = (n: number): string => {
    const edges = n === 1 ? 'edge' : 'edges';
    // Chosen nodes and neurons bring their edges along: none of these is a top edge.
    const of = method.unit === undefined ? `the top ${n === 1 ? '' : `${numberText(n, 9)} `}` : `${numberText(n, 9)} `;
    return `${of}${edges} ${n === 1 ? 'reaches' : 'reach'}`;
  };
  const found = smallest.map(({ threshold, n }) =>
    n === null
      ? `no evaluated size reaches ${numberText(threshold)}`
      : `${enough(n)} a faithfulness of ${numberText(threshold)}${n === graph.edgeCount ? ' (the whole graph)' : ''}`,
  );
  return found.length ? `${capital(and(found))}.` : '';
}

function exactness({ agreement }: CircuitRecord): string {
  if (!agreement) return '';
  const { topOverlap, spearman, signAgreement } = agreement;
  const parts = [
    `${Math.round(topOverlap.value * topOverlap.k)} of the ${topOverlap.k} strongest edges are the same`,
    spearman === null ? '' : `Spearman’s ρ is ${numberText(spearman)}`,
    signAgreement === null ? '' : `${percentText(signAgreement)} of the signs agree`,
  ];
  return `Against ${agreement.reference}, ${and(parts.filter(Boolean))}.`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const and = (parts: readonly string[]): string =>
  parts.length < 2 ? (parts[0] ?? '') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
