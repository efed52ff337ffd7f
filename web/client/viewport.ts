/**
 * How large an element is on the screen, in device pixels; 0×0 while nobody can see it.
 *
 * in:  the browser's observers: size, pixel ratio, the tab, the element scrolled out of sight
 * out: sizes, the first at once, later ones when they have rested for a moment
 */

/** Dragging the edge of a window makes a size per frame; the last is what counts. */
const RESTS_MS = 200;
/** Largest edge the server takes. */
const MAX_EDGE = 16_384;

export interface Size {
  width: number;
  height: number;
}

export class Viewport {
  private readonly sizes: ResizeObserver;
  private readonly sights: IntersectionObserver;
  private readonly onVisibility = () => this.changed();
  private ratio: MediaQueryList | undefined;
  private readonly onRatio = () => (this.watchRatio(), this.changed());
  private isInSight = true;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private told: Size | undefined;

  constructor(
    private readonly element: HTMLElement,
    private readonly tell: (size: Size) => void,
  ) {
    this.sizes = new ResizeObserver(() => this.changed());
    this.sizes.observe(element);
    this.sights = new IntersectionObserver((entries) => {
      this.isInSight = entries.at(-1)?.isIntersecting ?? true;
      this.changed();
    });
    this.sights.observe(element);
    document.addEventListener('visibilitychange', this.onVisibility);
    this.watchRatio();
    this.report();
  }

  /** The size now. */
  size(): Size {
    if (document.visibilityState === 'hidden' || !this.isInSight) return { width: 0, height: 0 };
    const pixels = (edge: number) => Math.min(MAX_EDGE, Math.round(edge * devicePixelRatio));
    const { width, height } = this.element.getBoundingClientRect();
    return { width: pixels(width), height: pixels(height) };
  }

  /** Says it again, whether it has changed or not: what was said before may have been lost. */
  repeat(): void {
    this.told = undefined;
    this.report();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.sizes.disconnect();
    this.sights.disconnect();
    this.ratio?.removeEventListener('change', this.onRatio);
    document.removeEventListener('visibilitychange', this.onVisibility);
  }

  /** A query matches one ratio only: each change needs the next query. */
  private watchRatio(): void {
    this.ratio?.removeEventListener('change', this.onRatio);
    this.ratio = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    this.ratio.addEventListener('change', this.onRatio);
  }

  private changed(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.report(), RESTS_MS);
  }

  private report(): void {
    const size = this.size();
    if (this.told && this.told.width === size.width && this.told.height === size.height) return;
    this.told = size;
    this.tell(size);
  }
}
