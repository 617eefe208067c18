// validatorUrl: null keeps the page from asking a validator elsewhere.
const page = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#documentation",
  validatorUrl: null,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: false,
  onComplete: () => {
    const title = page.specSelectors.info().get("title");
    if (title) document.title = title;
  },
});
