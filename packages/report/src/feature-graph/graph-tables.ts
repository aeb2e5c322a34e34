// The numbers behind the drawing of a graph as tables: nodes by influence, the strongest edges, and effects predicted beside measured.
import { html } from '../markup.js';
import type { Markup } from '../markup.js';
import { numberTable } from '../number-table.js';
import { decimalsFor, numberText, percentText, scoreText } from '../number-text.js';
import { isMovable, nodeName, placeOf } from './graph-names.js';
import type { FeatureEffectRow, FeatureGraphRecord } from './graph-record.js';

/** Rows of one table; the record has all. */
const most = 300;

/** How many of a list a table has. */
export const tableSize = (count: number): number => Math.min(most, count);

export function nodeTable(record: FeatureGraphRecord): Markup {
  const { nodes } = record;
  const rank = (i: number): number => {
    const node = nodes[i];
    return !node || node.kind === 'bias'
      ? 3
      : isMovable(node)
        ? (node.influence ?? 0)
        : node.kind === 'output'
          ? -1
          : 2;
  };
  const order = nodes.map((_, i) => i).sort((a, b) => rank(a) - rank(b) || a - b);
  return html`<table class="numbers">
    <thead>
      <tr>
        <th scope="col">Node</th>
        <th scope="col">Kind</th>
        <th scope="col">Where</th>
        <th scope="col">Id</th>
        <th scope="col" class="number">Activation</th>
        <th scope="col" class="number">Influence up to its rank</th>
      </tr>
    </thead>
    <tbody>
      ${order.slice(0, most).map((i) => {
        const node = nodes[i];
        if (!node) return '';
        const share = isMovable(node) ? node.influence : undefined;
        return html`<tr>
          <td><bdi>${nodeName(node, record)}</bdi></td>
          <td>${node.kind}</td>
          <td><bdi>${placeOf(node, record)}</bdi></td>
          <td><bdi>${node.id}</bdi></td>
          <td class="number">${numberText(node.activation ?? node.value)}</td>
          <td class="number">${share === undefined ? '' : percentText(share, 3)}</td>
        </tr>`;
      })}
    </tbody>
  </table>`;
}

export function strongestEdges(record: FeatureGraphRecord): Markup {
  const { nodes, edges } = record;
  const decimals = decimalsFor(edges.map(([, , weight]) => weight));
  const order = edges
    .map((_, i) => i)
    .sort((a, b) => Math.abs(edges[b]?.[2] ?? 0) - Math.abs(edges[a]?.[2] ?? 0) || a - b);
  const cell = (index: number): Markup => {
    const node = nodes[index];
    return html`<td>
      <bdi>${node && nodeName(node, record)}</bdi> <i><bdi>${node && placeOf(node, record)}</bdi></i>
    </td>`;
  };
  return html`<table class="numbers">
    <thead>
      <tr>
        <th scope="col">From</th>
        <th scope="col">To</th>
        <th scope="col" class="number">Weight</th>
      </tr>
    </thead>
    <tbody>
      ${order.slice(0, most).map((i) => {
        const [source = 0, target = 0, weight = 0] = edges[i] ?? [];
        return html`<tr>
          ${cell(source)}${cell(target)}
          <td class="number">${scoreText(weight, decimals)}</td>
        </tr>`;
      })}
    </tbody>
  </table>`;
}

/** By depth, each list of effects below the other. */
export function effectTable(effects: NonNullable<FeatureGraphRecord['effects']>): Markup {
  const depthName = (depth: FeatureEffectRow['depth']): string =>
    depth === 'output' ? 'outputs' : depth === 'all' ? 'all' : `${depth} layer${depth === 1 ? '' : 's'} on`;
  return numberTable(
    ['Features', 'Effect on', 'Pairs', 'Spearman ρ', 'Same sign', 'Cosine', 'NMSE'],
    effects.flatMap(({ name, rows, control = false }) =>
      rows.map(({ depth, count, spearman, signAgreement, cosine, nmse }) => ({
        texts: [
          control ? `${name} (for comparison)` : name,
          depthName(depth),
          numberText(count, 9),
          numberText(spearman),
          signAgreement === null ? '–' : percentText(signAgreement),
          numberText(cosine),
          numberText(nmse),
        ],
        now: depth === 'all' && !control,
      })),
    ),
    2,
  );
}
