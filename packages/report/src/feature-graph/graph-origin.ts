// Where a graph comes from: how to make it again, or the file that it was read from and what of it could not be taken as it stood.
import { html } from '../markup.js';
import type { Markup } from '../markup.js';
import { numberText } from '../number-text.js';
import { commandBlock, factList, provenanceFacts, valueList } from '../provenance.js';
import type { FeatureGraphRecord } from './graph-record.js';

/** Ids that are written out. */
const mostIds = 12;

export function graphOrigin({ provenance, imported, pruning }: FeatureGraphRecord): Markup | false {
  const pruned = [
    'Pruned',
    `nodes at ${numberText(pruning.nodeThreshold)} of the influence, edges at ${numberText(pruning.edgeThreshold)}`,
  ] as const;
  if (provenance)
    return html`<div class="part">
      <h3>How to get this again</h3>
      ${provenanceFacts(provenance, [pruned])}
    </div>`;
  return imported !== undefined && importedPart(imported, pruned);
}

function importedPart(
  imported: NonNullable<FeatureGraphRecord['imported']>,
  pruned: readonly [string, string],
): Markup {
  const { collisions, leftOutNodes, leftOutLinks, numbering } = imported;
  const links = collisions.reduce((sum, each) => sum + each.links, 0);
  const lost = leftOutNodes.map(({ type, count }) => `${numberText(count, 9)} of type ${type}`).join(', ');
  const ids = collisions.slice(0, mostIds).map(({ id }) => id);
  return html`<div class="part">
    <h3>Where it comes from</h3>
    ${commandBlock(imported.commandLine)}
    ${factList([
      ['File', html`<bdi>${imported.file}</bdi>, <code class="hash">${imported.sha256}</code> (SHA-256)`],
      ['Made by', imported.generator ?? false],
      ['Creator', imported.creator ?? false],
      ['Description', imported.description ?? false],
      [
        'Ids',
        collisions.length === 0
          ? 'each stands for one node'
          : `${numberText(collisions.length, 9)} stood for an error and a feature of layer 0; the error has another here, and ${numberText(links, 9)} links that could be of either are left out: ${ids.join(', ')}${collisions.length > mostIds ? ', …' : ''}`,
      ],
      ['Features', numbering === undefined ? false : `numbered as ${numbering}`],
      ['Left out', lost === '' ? false : lost],
      [
        'Links left out',
        leftOutLinks === 0 ? false : `${numberText(leftOutLinks, 9)}, of such nodes, to no target, or not upwards`,
      ],
      pruned,
      ['Versions', valueList(imported.versions)],
    ])}
  </div>`;
}
