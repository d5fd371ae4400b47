// What every page needs: live updates, forms without a jump, times in the reader's zone.
import { keepLive } from "./live.js";
import { takeForms } from "./forms.js";
import { tickTimes } from "./times.js";
import { tickAll } from "./ticks.js";
import { fadeToasts } from "./toasts.js";
import { filterAsTyped } from "./filter.js";

document.documentElement.classList.add("scripted");
tickTimes();
takeForms();
fadeToasts();
tickAll();
filterAsTyped();
keepLive();
