/** The page of the tile client, which can show the same room as a canvas, too. */

import { act, element, isOff, rejoin, start, type Join } from './room-page';
import { TileCall } from './tile-call';

const page = {
  mode: element<HTMLButtonElement>('mode'),
  statistics: element<HTMLButtonElement>('statistics'),
  figures: element('figures'),
};

let tiles: TileCall | undefined;
let inTiles = true;

const joinTiles: Join = async (token, stage, events) => (tiles = await TileCall.join(token, stage, events));
/** The SDK is larger than all the rest of this page: it is loaded when it is asked for. */
const joinCanvas: Join = async (token, stage, events) => {
  tiles = undefined;
  const { Call } = await import('./call');
  return Call.join(token, stage, events);
};

/** The statistics are of the client's own making: the SDK shows none. */
function show(): void {
  page.mode.textContent = inTiles ? 'Show canvas' : 'Show tiles';
  page.statistics.disabled = !inTiles;
  const on = inTiles && isOff(page.statistics);
  page.figures.hidden = !on;
  tiles?.showStatistics(on, (line) => (page.figures.textContent = line));
}

page.mode.addEventListener('click', () => {
  void act(page.mode, async () => {
    inTiles = !inTiles;
    await rejoin(inTiles ? joinTiles : joinCanvas);
    show();
  });
});
page.statistics.addEventListener('click', () => {
  page.statistics.setAttribute('aria-pressed', String(!isOff(page.statistics)));
  show();
});

start(joinTiles, show);
