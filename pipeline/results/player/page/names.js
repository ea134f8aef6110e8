// Names of speakers, which a click in edit mode opens.
(() => {
  document.addEventListener("click", (event) => {
    if (!document.body.classList.contains("editing")) return;
    const turn = event.target.closest("#transcript .turn[data-speaker]");
    if (!turn || !event.target.closest("h3")) return;
    const { speaker } = turn.dataset, was = turn.querySelector("h3 .name").textContent;
    const isNamed = was !== `Speaker ${speaker.slice(1)}`;
    Editor.open(`Name of ${was}`, isNamed ? was : "", async (name) => {
      await Corrections.rename(speaker, name);
      say(name ? `${was} is now ${name}.` : "The name is removed.", {
        name: "Undo",
        run: () => Corrections.rename(speaker, isNamed ? was : "").catch((error) => say(error.message)),
      });
    });
  });
})();
