// Walking the cells with the keys, across all maps, and reading the one that is pointed at or has the focus.

interface CellWalk {
  readonly cells: ReadonlyMap<number, HTMLElement>;
  /** Sites, layers and positions that there are. */
  readonly size: readonly [sites: number, layers: number, positions: number];
  read(cell: number): void;
  /** Called when the focus has come to rest on a cell. */
  rest(): void;
}

export function walkCells({ cells, size: [sites, layers, positions], read, rest }: CellWalk): void {
  const split = (cell: number): [site: number, layer: number, position: number] => [
    Math.floor(cell / (layers * positions)),
    Math.floor(cell / positions) % layers,
    cell % positions,
  ];

  /** Where a key leads: up is a later layer, and the maps lie side by side. */
  function target(cell: number, key: string): number | undefined {
    const [site, layer, position] = split(cell);
    const across = site * positions + position;
    const to = (column: number, row: number): number | undefined =>
      column < 0 || column >= sites * positions || row < 0 || row >= layers
        ? undefined
        : (Math.floor(column / positions) * layers + row) * positions + (column % positions);
    if (key === 'ArrowUp') return to(across, layer + 1);
    if (key === 'ArrowDown') return to(across, layer - 1);
    if (key === 'ArrowLeft') return to(across - 1, layer);
    if (key === 'ArrowRight') return to(across + 1, layer);
    if (key === 'Home') return to(site * positions, layer);
    return key === 'End' ? to(site * positions + positions - 1, layer) : undefined;
  }

  let stop = [...cells.values()].find((each) => each.tabIndex === 0);
  for (const [cell, shape] of cells) {
    shape.addEventListener('mouseenter', () => read(cell));
    shape.addEventListener('click', () => shape.focus());
    shape.addEventListener('focus', () => {
      stop?.setAttribute('tabindex', '-1');
      stop = shape;
      stop.setAttribute('tabindex', '0');
      read(cell);
      rest();
    });
    shape.addEventListener('keydown', (event) => {
      if (!/^(Arrow|Home|End)/.test(event.key)) return;
      event.preventDefault();
      cells.get(target(cell, event.key) ?? -1)?.focus();
    });
  }
}
