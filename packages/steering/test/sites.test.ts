// The places of a spec: the end of the last layer is left out where a LayerNorm would undo the edit, and only there.
import { refusal } from '@limn/testing';
import { describe, expect, it } from 'vitest';
import { steeredPlaces, type SteeringMethod } from '../src/index.js';

const info = { layers: 3, heads: 2, headWidth: 4, width: 8, mlpWidth: 12, block: 'sequential' as const };
const layersOf = (method: SteeringMethod, layers?: readonly number[]): number[] =>
  steeredPlaces(info, { method, sites: ['hook_resid_post'], ...(layers && { layers }) }).map(({ layer }) => layer);

describe('the end of the last layer', () => {
  it('is not steered by one factor for the whole vector', () => {
    for (const kind of ['activ-scalar', 'dyn-scalar', 'gated-scalar'] as const)
      expect(layersOf({ kind }), kind).toEqual([0, 1]);
  });

  it('is steered by vectors and by scales that differ from dimension to dimension', () => {
    expect(layersOf({ kind: 'steer-vec' })).toEqual([0, 1, 2]);
    expect(layersOf({ kind: 'dimension-scale' })).toEqual([0, 1, 2]);
    expect(layersOf({ kind: 'subspace-scale', rank: 2 })).toEqual([0, 1, 2]);
    expect(layersOf({ kind: 'steer-vec' }, [2])).toEqual([2]);
  });

  it('is refused where nothing else is asked for', async () => {
    const { code, details } = await refusal(() => layersOf({ kind: 'activ-scalar' }, [2]));
    expect({ code, details }).toEqual({
      code: 'usage/steering-site',
      details: { sites: ['hook_resid_post'], layers: [2], method: 'activ-scalar' },
    });
  });
});
