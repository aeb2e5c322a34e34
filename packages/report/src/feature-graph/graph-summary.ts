// An attribution graph in a few plain sentences.
import { numberText, percentText } from '../number-text.js';
import type { Summary } from '../summary.js';
import { bare } from '../token-words.js';
import type { FeatureGraphRecord } from './graph-record.js';

/** Says what is explained, how much of it features explain, whether the edges add up, and what interventions said; nothing that the record does not hold. */
export function summariseFeatureGraph(graph: FeatureGraphRecord): Summary {
  const { nodes, edges, prompt, scores, accounting, activeFeatures, withoutDictionary = [] } = graph;
  const outputs = nodes.filter(({ kind }) => kind === 'output');
  const [first] = [...outputs].sort((a, b) => (b.probability ?? 0) - (a.probability ?? 0));
  const what = `“${bare(first?.label ?? '')}”${first?.probability === undefined ? '' : ` (${percentText(first.probability)})`}`;
  const features = nodes.filter(({ kind }) => kind === 'feature').length;
  return {
    headline: `What ${prompt.length} tokens bring to ${what}${outputs.length > 1 ? ` and ${numberText(outputs.length - 1, 9)} more` : ''}, through ${numberText(features, 9)} features and ${numberText(edges.length, 9)} edges.`,
    sentences: [
      `Replacement ${percentText(scores.replacement)}: the share of paths from outputs that end at tokens and not at errors. Completeness ${percentText(scores.completeness)}: the share of what goes into nodes that is no error.`,
      accounting === undefined
        ? 'The graph is a file’s: what its nodes’ values are is not in it, so that nothing says how far its edges add up.'
        : accounting.worst <= accounting.tolerance
          ? `Edges into a node sum to its value within ${numberText(accounting.worst, 2)}.`
          : `Edges do not add up: they miss a node’s value by up to ${numberText(accounting.worst, 2)}, where ${numberText(accounting.tolerance, 2)} is allowed.`,
      activeFeatures !== undefined && activeFeatures > features
        ? `${numberText(activeFeatures, 9)} features fired; those that are no nodes are part of the errors where they stand.`
        : '',
      withoutDictionary.length
        ? `No dictionary explains the MLP of layer${withoutDictionary.length === 1 ? '' : 's'} ${withoutDictionary.join(', ')}: its whole output is an error.`
        : '',
      ...effectSentences(graph),
    ].filter(Boolean),
  };
}

/** Only the figures over everything; the table has them by depth. */
function effectSentences({ effects = [] }: FeatureGraphRecord): string[] {
  return effects.flatMap(({ name, rows, control }) => {
    const all = rows.find(({ depth }) => depth === 'all');
    if (!all) return [];
    const sign = all.signAgreement === null ? '' : `, sign right in ${percentText(all.signAgreement)}`;
    return [
      `${control ? 'For comparison, of' : 'Of'} ${name}, effects as predicted and as measured agree with ρ = ${numberText(all.spearman)}${sign} over ${numberText(all.count, 9)} pairs.`,
    ];
  });
}
