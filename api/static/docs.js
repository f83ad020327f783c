// Starts Swagger UI on /docs. A file of its own, because the page's policy allows no inline script.
window.addEventListener("load", () => {
  SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    tryItOutEnabled: true,
    displayOperationId: true,
    // the default would send the description to a validator on the internet
    validatorUrl: null,
  });
});
