// Numbers as the page writes them: three significant digits, a true minus sign. Used when the page is made and inside it.

/** '0.532', '−1.2', '12,345', '3.1e−6', '–' for a number that is not there. */
export function numberText(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  const text =
    size >= 1e-4 && size < 10 ** digits
      ? String(Number(value.toPrecision(digits)))
      : size >= 10 ** digits && size < 1e9
        ? Math.round(value).toLocaleString('en-US')
        : value.toExponential(digits - 2);
  return text.replaceAll('-', '−').replace('e+', 'e');
}

/** '2.5 %' from 0.025. */
export const percentText = (fraction: number, digits = 2): string => `${numberText(fraction * 100, digits)} %`;

/** 'a0.h1->a2.h3<q>' → ['a0.h1', 'a2.h3', 'q']; the slot is empty for MLPs and logits. */
export function edgeParts(name: string): readonly [source: string, destination: string, slot: 'q' | 'k' | 'v' | ''] {
  const match = /^(.+)->([^<]+)(?:<([qkv])>)?$/.exec(name);
  return [match?.[1] ?? '', match?.[2] ?? '', (match?.[3] ?? '') as 'q' | 'k' | 'v' | ''];
}

/** 'a1.h2' → '1.2', 'm3' → 'MLP 3', 'input' and 'logits' as they are: what stands in a drawn node. */
export function nodeLabel(node: string): string {
  const head = /^a(\d+)\.h(\d+)$/.exec(node);
  return head ? `${head[1]}.${head[2]}` : node.replace(/^m(\d+)$/, 'MLP $1');
}
