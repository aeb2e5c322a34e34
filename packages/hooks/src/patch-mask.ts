// Which entries of a site's tensor each row of a patched pass replaces.
import type { PatchAxis, PatchPlace } from './patch-request.js';

/** 1 where row p·B + b is patched at its place p, over the leading axes of the site that any place names. */
export function placeMask(
  shape: readonly number[],
  axes: readonly PatchAxis[],
  places: readonly PatchPlace[],
): { readonly data: Uint32Array; readonly shape: readonly number[] } {
  const used = Math.max(0, ...axes.map((axis, i) => (places[0]?.[axis] === undefined ? 0 : i + 1)));
  const lengths = shape.slice(1, 1 + used);
  const each = lengths.reduce((product, length) => product * length, 1);
  const rows = shape[0] as number;
  const data = Uint32Array.from({ length: rows * each }, (_, i) => {
    const place = places[Math.floor(i / each / (rows / places.length))] as PatchPlace;
    let rest = i % each;
    for (let axis = used - 1; axis >= 0; axis--) {
      const length = lengths[axis] as number;
      const wanted = place[axes[axis] as PatchAxis];
      if (wanted !== undefined && wanted !== rest % length) return 0;
      rest = Math.floor(rest / length);
    }
    return 1;
  });
  return { data, shape: [rows, ...lengths] };
}
