// Blocks of edges that exact patching runs together: every edge is in one block, and once in the parts of any cut.
import { describe, expect, it } from 'vitest';
import { cutBlock, edgeBlocks, edgeCountOf, edgesOfBlock } from '../src/edge-block.js';
import type { EdgeBlock } from '../src/edge-block.js';
import { buildGraph } from '../src/index.js';

describe.each(['sequential', 'parallel'] as const)('a %s model', (block) => {
  const graph = buildGraph({ layers: 3, heads: 4, width: 8, block });
  const all = [...graph.edges()].map(({ u, v }) => graph.dense(u, v)).sort((a, b) => a - b);

  it('has a block for the heads of each layer, one for each MLP, and one for the logits', () => {
    const blocks = edgeBlocks(graph);
    expect(blocks.map(({ reader }) => reader.kind)).toEqual(['heads', 'mlp', 'heads', 'mlp', 'heads', 'mlp', 'logits']);
    expect(blocks.flatMap((each) => edgesOfBlock(graph, each)).sort((a, b) => a - b)).toEqual(all);
    for (const each of blocks) expect(edgesOfBlock(graph, each)).toHaveLength(edgeCountOf(each));
  });

  it.each([1, 2, 3, 5, 7, 11, 12, 13, 40, 1000])('is cut into parts of at most %i edges', (most) => {
    const waiting = edgeBlocks(graph);
    const parts: EdgeBlock[] = [];
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [first, ...rest] = cutBlock(next, most);
      parts.push(first);
      waiting.unshift(...rest);
    }
    for (const part of parts) expect(edgeCountOf(part)).toBeLessThanOrEqual(most);
    expect(parts.flatMap((part) => edgesOfBlock(graph, part)).sort((a, b) => a - b)).toEqual(all);
    if (most === 1) expect(parts).toHaveLength(graph.edgeCount);
    if (most === 1000) expect(parts).toEqual(edgeBlocks(graph));
  });
});
